"""Traces: where they go when a session or a run ends, and how stored ones are found again."""
