"""The private state of a project: run bundles, the response cache, recordings."""
