"""The command line: one module a verb. It parses, calls a workflow and maps what comes back."""
