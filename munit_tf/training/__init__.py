"""Training: devices, workers, the loop over the steps, its callbacks."""
