"""Retrieval: what an index is asked through, how it ranks, and what of it a session may use."""
