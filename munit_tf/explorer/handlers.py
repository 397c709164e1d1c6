"""What happens on the page: each act changes the visitor's Desk and shows what has changed.

An act takes the Visit and the values that it asks for, and gives {name of a part of the page: new value}.
"""

import time

import gradio as gr
import numpy as np

from munit_tf.errors import InputError
from munit_tf.explorer import rendering
from munit_tf.explorer.session import Visit

SLIDER_RANGE = 3
_REDRAW_EVERY_S = 1.0
FORGOTTEN = "This page was left alone for too long: load it again."


def begin(studio):
    """The act that shows the page to a visitor who has just come."""

    def act(_):
        visit = Visit(studio)
        return {"visit": visit, **_all(visit.desk)}

    return act


def turn(visit, direction):
    """Translates the other way."""
    visit.turn(direction)
    return _all(visit.desk)


def choose_picture(visit, event: gr.SelectData):
    """Takes one of the pictures shown."""
    return _picture(visit.desk, _nth(visit.desk.sources.pictures(), event))


def add_photo(visit, path):
    """Takes an uploaded photo, or says why not."""
    desk = visit.desk
    try:
        picture = desk.sources.add(path)
    except InputError as error:
        return {"photo_message": rendering.message(str(error), "error"), "photo": None}
    changes = _picture(desk, picture)
    return {**changes, "pictures": _shelf(desk.sources), "photo": None}


def more_pictures(visit):
    """Shows others of the data set."""
    visit.desk.sources.more()
    return {"pictures": _shelf(visit.desk.sources)}


def move(dimension):
    """The act of one slider."""

    def act(visit, value):
        if value is None:
            return {}
        visit.desk.move(dimension, value)
        return {"after": rendering.after(visit.desk), "origin": ""}

    return act


def surprise(visit):
    """Draws one style at random."""
    desk = visit.desk
    return _style(desk, desk.studio.random_codes(1, np.random.default_rng().integers(2**31))[0])


def choose_random(visit, event: gr.SelectData):
    """Takes one of the random styles."""
    return _style(visit.desk, _nth(visit.desk.random, event))


def more_random(visit):
    """Draws more styles."""
    visit.desk.draw_more()


def fill_random(visit):
    """Shows the picture under the random styles, a few at a time where they take long."""
    yield from _fill(visit, "random", visit.desk.random)


def choose_reference(visit, event: gr.SelectData):
    """Takes the style of one of the references shown."""
    return {**_style_of(visit.desk, _nth(visit.desk.references.pictures(), event)), "reference_message": ""}


def add_reference(visit, path):
    """Takes the style of an uploaded picture, or says why not."""
    desk = visit.desk
    try:
        picture = desk.references.add(path)
    except InputError as error:
        return {"reference_message": rendering.message(str(error), "error"), "reference": None}
    return {
        **_style_of(desk, picture),
        "references": _shelf(desk.references),
        "reference_message": rendering.message(picture.notes),
        "reference": None,
    }


def more_references(visit):
    """Shows others of the data set."""
    visit.desk.references.more()
    return {"references": _shelf(visit.desk.references)}


def keep(visit):
    """Keeps the style chosen."""
    visit.desk.keep()
    gr.Info("Kept: it stands under “Kept”.", duration=3)


def forget(visit):
    """Keeps none of the styles any longer."""
    visit.desk.kept.clear()


def choose_kept(visit, event: gr.SelectData):
    """Goes back to a kept style."""
    return _style(visit.desk, _nth(visit.desk.kept, event))


def fill_kept(visit):
    """Shows the picture under the kept styles."""
    desk = visit.desk
    choices = [(f"style {k + 1}", k) for k in range(len(desk.kept))]
    last = len(choices) - 1
    yield {
        "codes": rendering.kept_codes(desk),
        "first": gr.Dropdown(choices=choices, value=0 if choices else None),
        "last": gr.Dropdown(choices=choices, value=last if choices else None),
        "way": "",
        "table": "",
    }
    yield from _fill(visit, "kept", np.array(desk.kept))


def make_way(visit, first, last, steps):
    """Goes from one kept style to another."""
    desk = visit.desk
    _need_picture(desk)
    if first is None or last is None or max(first, last) >= len(desk.kept):
        raise InputError("Choose two kept styles first: “Keep this style” keeps one.")
    return {"way": rendering.strip(desk.way(first, last, int(steps))[1])}


def make_table(visit, rows):
    """Several pictures by the kept styles."""
    desk = visit.desk
    _need_picture(desk)
    if desk.style is not None and not desk.kept:
        raise InputError("There is no kept style: “Keep this style” keeps one.")
    return {"table": rendering.table(desk.table(int(rows)))}


def _all(desk):
    desk.open()
    return {
        "before": rendering.before(desk),
        **_shown_style(desk),
        "pictures": _shelf(desk.sources),
        "references": _shelf(desk.references) if desk.studio.guided else None,
        "table": "",
        "way": "",
    }


def _picture(desk, picture):
    desk.choose(picture)
    return {
        "before": rendering.before(desk),
        "after": rendering.after(desk),
        "photo_message": rendering.message(picture.notes),
        "table": "",
        "way": "",
    }


def _style(desk, code):
    desk.take_style(code)
    return _shown_style(desk)


def _style_of(desk, picture):
    desk.take_style_of(picture)
    return _shown_style(desk)


def _shown_style(desk):
    """The sliders go as far as the style needs."""
    sliders = {}
    for k, value in enumerate(() if desk.style is None else desk.style.tolist()):
        most = max(SLIDER_RANGE, float(np.ceil(abs(value))))
        sliders[f"slider{k}"] = gr.Slider(minimum=-most, maximum=most, value=round(value, 2))
    return {**sliders, "origin": rendering.style_origin(desk), "after": rendering.after(desk)}


def _shelf(shelf):
    pictures = [rendering.thumbnail(each.image) for each in shelf.pictures()]
    return gr.Gallery(value=pictures, selected_index=None)


def _fill(visit, name, codes):
    """Yields the gallery of the picture under these codes, until the visitor has gone on to another."""
    desk, picture, made, shown = visit.desk, visit.desk.picture, [], time.monotonic()
    if picture is not None and len(codes):
        for image in desk.translations(codes):
            if visit.desk is not desk or desk.picture is not picture:
                return
            made.append(rendering.thumbnail(rendering.to_image(image)))
            if time.monotonic() - shown > _REDRAW_EVERY_S:
                yield {name: gr.Gallery(value=made, selected_index=None)}
                shown = time.monotonic()
    yield {name: gr.Gallery(value=made, selected_index=None)}


def _need_picture(desk):
    if desk.picture is None:
        raise InputError("Choose a picture first.")


def _nth(things, event):
    if event.index >= len(things):
        raise InputError(FORGOTTEN)
    return things[event.index]
