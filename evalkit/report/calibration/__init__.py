"""`evalkit judge calibrate`: a judge held against labels, for people and for programs."""
