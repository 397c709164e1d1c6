"""The page of an evaluation."""

import base64
import html.parser
import io

import numpy as np
import pytest
from PIL import Image

from munit_tf.evaluation import report, report_curves, report_page
from munit_tf.evaluation.report_page import Picture, Section, Table

HOSTILE = '<script>alert("x")</script> & `code` *a* [b](c) #|'


@pytest.fixture
def picture():
    return Picture("small", HOSTILE, Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)))


class Elements(html.parser.HTMLParser):
    """What a browser finds in a page: tags with attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_the_page_holds_everything_and_text_stays_text(picture):
    sections = [Section(HOSTILE, [HOSTILE, Table([["", HOSTILE], ["row", "1.5"]]), picture])]
    page = Elements(report_page.to_html(HOSTILE, sections))
    assert page.text.count(HOSTILE) == 5  # Twice the title.
    assert not any(tag == "script" for tag, _ in page.tags)
    (image,) = (attributes for tag, attributes in page.tags if tag == "img")
    assert image["alt"] == HOSTILE and (image["width"], image["height"]) == ("4", "4")
    kind, data = image["src"].split(",")
    assert kind == "data:image/png;base64"
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(picture.image))


def test_markdown_names_the_files_and_text_stays_text(picture):
    sections = [Section("Title", ["a_b | <c>", Table([["", "x|y"], ["row", "1.5"]]), picture])]
    text = report_page.to_markdown("Run", sections)
    assert text.startswith("# Run\n\n## Title\n\na\\_b \\| \\<c\\>\n\n")
    assert "|   | x\\|y |\n| --- | ---: |\n| row | 1.5 |\n" in text
    assert text.endswith("](small.png)\n")


def test_curves_of_a_log():
    rows = [{"step": 10 * i, "adv_g/a": 1.0, "validation/kid/b": 10.0 ** (i % 4)} for i in range(1, 5)]
    rows += [{"step": 50, "other": 3.0}]
    curves = report_curves.draw(rows)
    assert curves.width == 900 and curves.height == 480  # Two panels.
    assert len(np.unique(np.asarray(curves))) > 2
    assert report_curves.draw(rows[-1:]) is report_curves.draw([]) is None


def test_a_run_without_a_log():
    assert report.curves_section([]).items == ["The run has no log."]
