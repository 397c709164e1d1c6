"""Checks of a data set's images before training."""
