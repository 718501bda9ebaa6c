"""Exceptions: who accepts what, how a waiver is written, and what became of it."""
