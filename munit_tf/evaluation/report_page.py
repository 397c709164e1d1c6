"""Text, tables and pictures as one HTML page, and as Markdown."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections.abc import Sequence
from typing import Union

from PIL import Image

# A picture keeps its size, and scrolls in its own frame on a narrow screen.
_STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
.frame { overflow-x: auto; }
img { display: block; background: white; }
table { border-collapse: collapse; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
"""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text; the first row is its head, and the first column names the others."""

    rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: the name of its file, without the ending.
        description: what it shows, for those who cannot see it.
        image: the picture.
    """

    name: str
    description: str
    image: Image.Image

    def png(self) -> bytes:
        """The PNG file."""
        file = io.BytesIO()
        self.image.save(file, "PNG", optimize=True)
        return file.getvalue()


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, and paragraphs, tables and pictures in order."""

    title: str
    items: Sequence[Union[str, Table, Picture]]


def to_html(title: str, sections: Sequence[Section]) -> str:
    """A page that needs no other file: pictures are in it."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        body += map(_item_as_html, section.items)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """The same in Markdown; the pictures are the files NAME.png in the same folder."""
    parts = [f"# {_escaped(title)}"]
    for section in sections:
        parts.append(f"## {_escaped(section.title)}")
        parts += map(_item_as_markdown, section.items)
    return "\n\n".join(parts) + "\n"


def _item_as_html(item):
    if isinstance(item, str):
        return f"<p>{html.escape(item)}</p>"
    if isinstance(item, Table):
        head, *rows = item.rows
        lines = [_row_as_html("th", head), *(_row_as_html("td", row) for row in rows)]
        return '<div class="frame"><table>\n' + "\n".join(lines) + "\n</table></div>"
    data = base64.b64encode(item.png()).decode()
    width, height = item.image.size
    return (
        f'<div class="frame" tabindex="0"><img width="{width}" height="{height}" '
        f'alt="{html.escape(item.description)}" src="data:image/png;base64,{data}"></div>'
    )


def _row_as_html(tag, cells):
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _item_as_markdown(item):
    if isinstance(item, str):
        return _escaped(item)
    if isinstance(item, Table):
        head, *rows = [[_escaped(cell) or " " for cell in row] for row in item.rows]
        rule = ["---", *["---:"] * (len(head) - 1)]
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
    return f"![{_escaped(item.description)}]({item.name}.png)"


def _escaped(text):
    """Text without what Markdown would interpret."""
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in text)
