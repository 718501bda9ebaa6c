"""A plan in, attempts out: concurrency, targets, resume."""
