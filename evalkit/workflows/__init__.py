"""The composition root, and a module for each job that joins the stages."""
