"""Distributions, intervals of rates and exact tests: what the gate and the judge both rest on."""
