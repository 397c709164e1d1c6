"""Training: the loop over the steps and its callbacks."""
