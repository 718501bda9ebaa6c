"""Jobs about judges: asking them in a run, labelling, calibrating, auditing."""
