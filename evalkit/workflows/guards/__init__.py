"""The gate guards itself: what became weaker, wider, untested, or incomparable."""
