"""Devices, strategies and workers."""
