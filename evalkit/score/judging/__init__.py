"""Asking judges: what they are shown, how their replies are read, how several become one opinion."""
