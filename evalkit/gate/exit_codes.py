"""What a verdict, or the lack of one, comes to as an exit code."""

EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_INCOMPLETE = 0, 1, 3, 4
