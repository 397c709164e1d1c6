"""The error that a user can fix."""

from __future__ import annotations


class InputError(ValueError):
    """Something that the user can mend; a command prints it as one line and ends with status 2."""
