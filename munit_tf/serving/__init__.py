"""A trained model in the forms that servers and devices take."""
