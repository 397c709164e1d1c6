"""Measures of translations: functions of features, probabilities or images, and the networks that make them."""
