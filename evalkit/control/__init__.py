"""The control core: routes, budgets, policies, prices, and the session of every call."""
