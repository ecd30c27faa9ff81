"""Benchmarks: each prints a table of medians and ratios, all measured in one run."""
