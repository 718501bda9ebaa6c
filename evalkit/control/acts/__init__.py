"""The three acts of a session, a module each, over the state that they share."""
