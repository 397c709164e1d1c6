"""Connects the components of the page to their handlers."""

from __future__ import annotations

import contextlib
import functools
import html
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import gradio as gr

from munit_tf.errors import InputError
from munit_tf.explorer import handlers
from munit_tf.explorer.model_service import ModelService
from munit_tf.explorer.session import Session

_STYLE = ("sliders", "origin", "after")
_PICTURE = ("before", "after", "table", "interpolation", "photo_message")
_ALL = ("before", "after", "sliders", "origin", "pictures", "references", "table", "interpolation")
_KEPT = ("kept", "codes", "first", "last", "interpolation", "table")


def wire(page: gr.Blocks, parts: Mapping[str, Any], service: ModelService) -> None:
    """Connects the components of a page, {name: component}, to their handlers."""
    on = functools.partial(_on, parts)

    def refill(event):
        if service.style_dim:
            on(on(event, handlers.fill_kept, _KEPT).then, handlers.fill_random, "random")

    refill(on(page.load, handlers.begin(service), ("session", *_ALL), starts_session=True).then)
    if "direction" in parts:
        refill(on(parts["direction"].input, handlers.switch_direction, _ALL, inputs="direction").then)
    refill(on(parts["pictures"].select, handlers.choose_picture, _PICTURE).then)
    added = (*_PICTURE, "pictures", "photo")
    refill(on(parts["photo"].upload, handlers.add_photo, added, inputs="photo").then)
    if "more_pictures" in parts:
        on(parts["more_pictures"].click, handlers.more_pictures, "pictures")
    on(parts["make_table"].click, handlers.make_table, "table", inputs="rows", progress="full")
    if service.style_dim:
        for k in range(service.style_dim):
            # While an image is computed, only the slider's latest value is queued.
            options = dict(inputs=f"slider{k}", trigger_mode="always_last")
            on(parts[f"slider{k}"].input, handlers.move(k), ("origin", "after"), **options)
        on(parts["random_style"].click, handlers.random_style, _STYLE)
        on(parts["random"].select, handlers.choose_random, _STYLE)
        on(on(parts["more"].click, handlers.more_random).then, handlers.fill_random, "random")
        on(on(parts["keep"].click, handlers.keep).then, handlers.fill_kept, _KEPT)
        on(on(parts["clear_kept"].click, handlers.clear_kept).then, handlers.fill_kept, _KEPT)
        on(parts["kept"].select, handlers.choose_kept, _STYLE)
        on(
            parts["interpolate"].click,
            handlers.interpolate,
            "interpolation",
            inputs=("first", "last", "steps"),
            progress="full",
        )
    if service.guided:
        on(parts["references"].select, handlers.choose_reference, (*_STYLE, "reference_message"))
        taken = (*_STYLE, "references", "reference", "reference_message")
        on(parts["reference"].upload, handlers.add_reference, taken, inputs="reference")
        if "more_references" in parts:
            on(parts["more_references"].click, handlers.more_references, "references")


def _on(parts, event, handler, outputs=(), inputs=(), progress="hidden", starts_session=False, **options):
    """Calls a handler on an event, with the Session and the values of `inputs`.

    It returns {name of a component: new value}. Names of components that the page of a method does not have
    are ignored. Only a handler with `starts_session` runs without a session.
    """

    def components(names):
        names = (names,) if isinstance(names, str) else names
        # "sliders" means all sliders.
        return [
            part
            for name in names
            for key, part in parts.items()
            if key == name or (name == "sliders" and key.startswith("slider"))
        ]

    def named(changes):
        return {parts[name]: value for name, value in (changes or {}).items() if name in parts}

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def run(session, *arguments):
            with _report_errors(session, starts_session):
                yield from map(named, handler(session, *arguments))

    else:

        @functools.wraps(handler)
        def run(session, *arguments):
            with _report_errors(session, starts_session):
                return named(handler(session, *arguments)) or None

    return event(
        run,
        [parts["session"], *components(inputs)],
        components(outputs),
        show_progress=progress,
        api_visibility="private",
        **options,
    )


@contextlib.contextmanager
def _report_errors(session: Optional[Session], starts_session: bool) -> Iterator[None]:
    """Shows an InputError as a message on the page, also if the server has discarded the session."""
    try:
        if not session and not starts_session:
            raise InputError(handlers.EXPIRED)
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error)), duration=None, print_exception=False) from error
