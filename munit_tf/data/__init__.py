"""Images: data sets (`registry`, `sources`) and batches for training (`pipeline`)."""
