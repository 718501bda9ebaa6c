"""Files and git refs in, typed assets out; every problem of a load at once."""
