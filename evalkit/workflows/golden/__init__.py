"""Golden sets: cases that come from production, and what a set holds and can tell."""
