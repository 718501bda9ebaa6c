"""Renderers: they read what was decided and never decide."""
