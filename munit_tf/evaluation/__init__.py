"""Measures of translations: of features, probabilities or images; and the networks that make these."""
