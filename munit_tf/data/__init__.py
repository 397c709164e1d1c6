"""Images: where they come from (`registry`, `sources`) and how they become batches (`pipeline`)."""
