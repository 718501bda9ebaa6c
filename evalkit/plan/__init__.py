"""Every attempt of a run, counted and priced before one is made."""
