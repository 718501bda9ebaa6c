"""Calibration: verdicts of a judge and labels to error rates, corrected rates and fitness."""
