"""Event handlers of the page.

A handler takes the visitor's Session and values of components. It changes the state and returns the updates,
{name of a component: new value}.
"""

import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import gradio as gr
import numpy as np

from munit_tf.errors import InputError
from munit_tf.explorer import rendering
from munit_tf.explorer.model_service import ModelService
from munit_tf.explorer.photos import Picture
from munit_tf.explorer.session import DirectionState, ImageList, Session

SLIDER_RANGE = 3
_REDRAW_EVERY_S = 1.0
EXPIRED = "This page has expired: reload it."

# Gradio evaluates the annotations of handlers, so they must not be strings.
_Updates = dict[str, Any]


def begin(service: ModelService) -> Callable[[Optional[Session]], _Updates]:
    """Returns the handler that starts a session when the page is loaded."""

    def start(_: Optional[Session]) -> _Updates:
        session = Session(service)
        return {"session": session, **_all(session.state)}

    return start


def switch_direction(session: Session, direction: str) -> _Updates:
    """Switches to the other direction."""
    session.switch_direction(direction)
    return _all(session.state)


def choose_picture(session: Session, event: gr.SelectData) -> _Updates:
    """Selects one of the pictures shown."""
    return _picture(session.state, _nth(session.state.sources.pictures(), event))


def add_photo(session: Session, path: str) -> _Updates:
    """Selects an uploaded photo, or shows why it is refused."""
    state = session.state
    try:
        picture = state.sources.add(path)
    except InputError as error:
        return {"photo_message": rendering.message(str(error), "error"), "photo": None}
    changes = _picture(state, picture)
    return {**changes, "pictures": _thumbnails(state.sources), "photo": None}


def more_pictures(session: Session) -> _Updates:
    """Shows other pictures of the data set."""
    session.state.sources.more()
    return {"pictures": _thumbnails(session.state.sources)}


def move(dimension: int) -> Callable[[Session, Optional[float]], _Updates]:
    """Returns the handler of one slider."""

    def change(session: Session, value: Optional[float]) -> _Updates:
        if value is None:
            return {}
        session.state.move(dimension, value)
        return {"after": rendering.after(session.state), "origin": ""}

    return change


def random_style(session: Session) -> _Updates:
    """Draws a random style."""
    state = session.state
    return _style(state, state.service.random_codes(1, int(np.random.default_rng().integers(2**31)))[0])


def choose_random(session: Session, event: gr.SelectData) -> _Updates:
    """Selects one of the random styles."""
    return _style(session.state, _nth(session.state.random, event))


def more_random(session: Session) -> None:
    """Draws more styles."""
    session.state.draw_more()


def fill_random(session: Session) -> Iterator[_Updates]:
    """Shows the picture in the random styles, a few at a time if they take long."""
    yield from _fill(session, "random", session.state.random)


def choose_reference(session: Session, event: gr.SelectData) -> _Updates:
    """Selects the style of one of the references shown."""
    return {
        **_style_of(session.state, _nth(session.state.references.pictures(), event)),
        "reference_message": "",
    }


def add_reference(session: Session, path: str) -> _Updates:
    """Selects the style of an uploaded picture, or shows why it is refused."""
    state = session.state
    try:
        picture = state.references.add(path)
    except InputError as error:
        return {"reference_message": rendering.message(str(error), "error"), "reference": None}
    return {
        **_style_of(state, picture),
        "references": _thumbnails(state.references),
        "reference_message": rendering.message(picture.notes),
        "reference": None,
    }


def more_references(session: Session) -> _Updates:
    """Shows other references of the data set."""
    session.state.references.more()
    return {"references": _thumbnails(session.state.references)}


def keep(session: Session) -> None:
    """Keeps the selected style."""
    session.state.keep()
    gr.Info("The style is now in “Kept”.", duration=3)


def clear_kept(session: Session) -> None:
    """Removes all kept styles."""
    session.state.kept.clear()


def choose_kept(session: Session, event: gr.SelectData) -> _Updates:
    """Selects a kept style."""
    return _style(session.state, _nth(session.state.kept, event))


def fill_kept(session: Session) -> Iterator[_Updates]:
    """Shows the picture in the kept styles."""
    state = session.state
    choices = [(f"style {k + 1}", k) for k in range(len(state.kept))]
    last = len(choices) - 1
    yield {
        "codes": rendering.kept_codes(state),
        "first": gr.Dropdown(choices=choices, value=0 if choices else None),
        "last": gr.Dropdown(choices=choices, value=last if choices else None),
        "interpolation": "",
        "table": "",
    }
    yield from _fill(session, "kept", np.array(state.kept))


def interpolate(session: Session, first: Optional[int], last: Optional[int], steps: float) -> _Updates:
    """Shows the interpolation between two kept styles."""
    state = session.state
    _need_picture(state)
    if first is None or last is None or max(first, last) >= len(state.kept):
        raise InputError("Choose two kept styles first: “Keep this style” adds one.")
    return {"interpolation": rendering.strip(state.interpolate(first, last, int(steps))[1])}


def make_table(session: Session, rows: float) -> _Updates:
    """Shows several pictures in the kept styles."""
    state = session.state
    _need_picture(state)
    if state.style is not None and not state.kept:
        raise InputError("There is no kept style: “Keep this style” adds one.")
    return {"table": rendering.table(state.table(int(rows)))}


def _all(state: DirectionState) -> _Updates:
    state.open()
    return {
        "before": rendering.before(state),
        **_shown_style(state),
        "pictures": _thumbnails(state.sources),
        "references": _thumbnails(state.references) if state.service.guided else None,
        "table": "",
        "interpolation": "",
    }


def _picture(state: DirectionState, picture: Picture) -> _Updates:
    state.choose(picture)
    return {
        "before": rendering.before(state),
        "after": rendering.after(state),
        "photo_message": rendering.message(picture.notes),
        "table": "",
        "interpolation": "",
    }


def _style(state: DirectionState, code: np.ndarray) -> _Updates:
    state.take_style(code)
    return _shown_style(state)


def _style_of(state: DirectionState, picture: Picture) -> _Updates:
    state.take_style_of(picture)
    return _shown_style(state)


def _shown_style(state: DirectionState) -> _Updates:
    """Updates for the style; widens the range of a slider if its value needs it."""
    sliders = {}
    for k, value in enumerate(() if state.style is None else state.style.tolist()):
        most = max(SLIDER_RANGE, float(np.ceil(abs(value))))
        sliders[f"slider{k}"] = gr.Slider(minimum=-most, maximum=most, value=round(value, 2))
    return {**sliders, "origin": rendering.style_origin(state), "after": rendering.after(state)}


def _thumbnails(images: ImageList) -> Any:
    pictures = [rendering.thumbnail(each.image) for each in images.pictures()]
    return gr.Gallery(value=pictures, selected_index=None)


def _fill(session: Session, name: str, codes: np.ndarray) -> Iterator[_Updates]:
    """Yields the gallery of the picture in these styles, until the visitor selects another picture."""
    state, picture, shown = session.state, session.state.picture, time.monotonic()
    thumbnails = []
    if picture is not None and len(codes):
        for image in state.translations(codes):
            if session.state is not state or state.picture is not picture:
                return
            thumbnails.append(rendering.thumbnail(rendering.to_image(image)))
            if time.monotonic() - shown > _REDRAW_EVERY_S:
                yield {name: gr.Gallery(value=thumbnails, selected_index=None)}
                shown = time.monotonic()
    yield {name: gr.Gallery(value=thumbnails, selected_index=None)}


def _need_picture(state: DirectionState) -> None:
    if state.picture is None:
        raise InputError("Choose a picture first.")


def _nth(items: Any, event: gr.SelectData) -> Any:
    if event.index >= len(items):
        raise InputError(EXPIRED)
    return items[event.index]
