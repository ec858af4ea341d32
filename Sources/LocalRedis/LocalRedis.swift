// LocalRedis: laid out, not yet built.
