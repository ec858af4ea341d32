// Streams: laid out, not yet built.
