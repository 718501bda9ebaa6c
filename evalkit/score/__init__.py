"""An attempt and its case in, scores out."""
