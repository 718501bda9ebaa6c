"""Asking judges: what they are shown, how replies are read, how several become one opinion."""
