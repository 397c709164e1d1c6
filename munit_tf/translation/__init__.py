"""Translation of image files with a trained model."""
