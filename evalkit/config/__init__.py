"""evalkit.yaml as typed data, and the problems found on the way, each with its place."""
