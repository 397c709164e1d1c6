"""Losses: pure functions of tensors, named as in the papers, one file for each kind."""
