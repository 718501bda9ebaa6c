"""Policies in Rego: what a decision means, evaluated in process or by an OPA server."""
