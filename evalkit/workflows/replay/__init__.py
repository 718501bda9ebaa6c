"""Stored production traffic against a candidate: a run whose baseline is what production said."""
