"""The history of runs: kept beside the bundles, and made again from them."""
