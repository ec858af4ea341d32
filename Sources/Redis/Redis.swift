// Redis: laid out, not yet built.
