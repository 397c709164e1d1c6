"""Prints lines on the terminal without escape sequences from names, files and errors."""

from __future__ import annotations

import re
import sys
from typing import Optional, TextIO

# For character classes in regular expressions: C0 and C1 control characters, line separators.
CONTROL_CHARACTERS = "\x00-\x1f\x7f-\x9f\u2028\u2029"
SURROGATES = "\ud800-\udfff"
_BIDIRECTIONAL = "\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[{CONTROL_CHARACTERS}{SURROGATES}{_BIDIRECTIONAL}]")


def escaped(text: str) -> str:
    r"""Replaces control characters, including line breaks, by Python's escapes, for example `\x1b`.

    Surrogates, which represent bytes that are not UTF-8, and characters that override the direction of text
    are also replaced. All other characters are kept.
    """
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def shortened(text: str, longest: int = 2000) -> str:
    """`text`, without its middle part if it has more than `longest` characters."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def say(*lines: str, file: Optional[TextIO] = None) -> None:
    """Prints lines; `escaped` is applied, and characters that are not in the file's encoding are escaped.

    Args:
        *lines: texts of one line each.
        file: where to print; None: standard output.
    """
    file = file or sys.stdout
    encoding = getattr(file, "encoding", None) or "utf-8"
    for line in lines:
        print(escaped(line).encode(encoding, "backslashreplace").decode(encoding), file=file, flush=True)
