"""The private state of a project: run bundles, the reply cache, recordings."""
