"""A run from its plan to its bundle: preparing, executing, escalating, pooling, deciding."""
