"""Training: devices, the loop around `fit`, its callbacks."""
