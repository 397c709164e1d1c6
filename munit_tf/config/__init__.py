"""Typed options of a run."""
