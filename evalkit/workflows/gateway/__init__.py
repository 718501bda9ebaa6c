"""`evalkit serve`: the gateway over a project, in a server of its own."""
