"""Policies in Rego: what a decision means, evaluated by evalkit or by an OPA server."""
