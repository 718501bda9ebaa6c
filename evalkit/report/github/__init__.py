"""What GitHub is told about a run: pure functions from a `Subject` to texts and payloads."""
