"""Other tools for the same work as `evalkit run`, installed and measured side by side in one run.

    python -m benchmarks.peers                      # or: make bench-peers
    python -m benchmarks.peers --cases 500 --only aiohttp,evalkit,promptfoo --json

`catalogue` says what each is asked to do and how its results are read, `versions.toml` which
release, `drivers/` holds what runs inside a peer's own environment, `environments` installs,
`measuring` watches a tree of processes, `table` computes ratios and prints.
"""
