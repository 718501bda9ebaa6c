"""`evalkit route`: what a route would do, told without a call."""
