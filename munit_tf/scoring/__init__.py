"""Evaluation of run folders: wires a model and its data to the measures, and keeps the results."""
