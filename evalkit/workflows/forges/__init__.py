"""GitHub, GitLab and plain CI: what is published there, and what is fetched from them."""
