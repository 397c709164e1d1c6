"""The run folder: options, checkpoints, log."""
