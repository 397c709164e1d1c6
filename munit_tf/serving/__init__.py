"""Trained models for TF Serving and TFLite, and a client for TF Serving."""
