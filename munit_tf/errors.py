"""The error for problems that the user can fix."""

from __future__ import annotations


class InputError(ValueError):
    """A problem that the user can fix; a command prints it as one line and ends with status 2."""
