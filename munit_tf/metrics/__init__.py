"""Metrics: pure functions of features, probabilities or images, and the networks that compute these."""
