"""Budgets: what a call is charged to, and holds that come before the call."""
