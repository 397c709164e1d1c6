"""What names and files can do to a terminal."""

import io

import pytest

from munit_tf import terminal


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\nb\r\tc\0\x7f", r"a\nb\r\tc\x00\x7f"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("gnp.\u202ejpg\u2066\u2069", r"gnp.\u202ejpg\u2066\u2069"),
        (b"\xff.png".decode(errors="surrogateescape"), r"\udcff.png"),
        ("Öl\\n 漢字 👩\u200d🎨 ✈\ufe0f e\u0301 עברית", "Öl\\n 漢字 👩\u200d🎨 ✈\ufe0f e\u0301 עברית"),
    ],
)
def test_escape_sequences_are_shown_and_letters_stay(text, shown):
    assert terminal.escaped(text) == shown
    assert terminal.escaped(shown) == shown
    file = io.StringIO()
    terminal.say(text, "", file=file)
    assert file.getvalue() == f"{shown}\n\n"


@pytest.mark.parametrize("encoding, shown", [("ascii", rb"\xd6l \u6f22"), ("latin-1", b"\xd6l \\u6f22")])
def test_characters_that_the_encoding_does_not_have_are_escaped(encoding, shown, monkeypatch):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", file)
    terminal.say("Öl 漢")
    assert file.buffer.getvalue() == shown + b"\n"


def test_a_long_text_keeps_its_ends():
    assert terminal.shortened("a" * 10, 10) == "a" * 10
    assert (
        terminal.shortened("--output=" + "a" * 3000 + ": too long", 30)
        == "--output=aaaaaa ... aaaaa: too long"
    )
