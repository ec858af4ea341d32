// LocalStreams: laid out, not yet built.
