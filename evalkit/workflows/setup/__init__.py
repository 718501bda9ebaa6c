"""What a run is of: the request, the commit, baseline, candidate and anchor of every suite."""
