"""Evaluation of runs: the metrics of a direction, the networks they use, and the results as text."""
