"""A local web page to try a trained model."""
