"""Paths, atomic files, locks."""
