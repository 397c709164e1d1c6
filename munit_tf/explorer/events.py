"""Which part of the page does what."""

import contextlib
import functools
import html
import inspect

import gradio as gr

from munit_tf.errors import InputError
from munit_tf.explorer import handlers

_STYLE = ("sliders", "origin", "after")
_PICTURE = ("before", "after", "table", "way", "photo_message")
_ALL = ("before", "after", "sliders", "origin", "pictures", "references", "table", "way")
_KEPT = ("kept", "codes", "first", "last", "way", "table")


def wire(page, parts, studio):
    """Ties the parts of a page, {name: component}, to what they do."""
    on = functools.partial(_on, parts)

    def refill(event):
        if studio.style_dim:
            on(on(event, handlers.fill_kept, _KEPT).then, handlers.fill_random, "random")

    refill(on(page.load, handlers.begin(studio), ("visit", *_ALL), anew=True).then)
    if "direction" in parts:
        refill(on(parts["direction"].input, handlers.turn, _ALL, inputs="direction").then)
    refill(on(parts["pictures"].select, handlers.choose_picture, _PICTURE).then)
    added = (*_PICTURE, "pictures", "photo")
    refill(on(parts["photo"].upload, handlers.add_photo, added, inputs="photo").then)
    if "more_pictures" in parts:
        on(parts["more_pictures"].click, handlers.more_pictures, "pictures")
    on(parts["make_table"].click, handlers.make_table, "table", inputs="rows", progress="full")
    if studio.style_dim:
        for k in range(studio.style_dim):
            # While a picture is being made, of all the slider's places only the last one waits.
            options = dict(inputs=f"slider{k}", trigger_mode="always_last")
            on(parts[f"slider{k}"].input, handlers.move(k), ("origin", "after"), **options)
        on(parts["surprise"].click, handlers.surprise, _STYLE)
        on(parts["random"].select, handlers.choose_random, _STYLE)
        on(on(parts["more"].click, handlers.more_random).then, handlers.fill_random, "random")
        on(on(parts["keep"].click, handlers.keep).then, handlers.fill_kept, _KEPT)
        on(on(parts["forget"].click, handlers.forget).then, handlers.fill_kept, _KEPT)
        on(parts["kept"].select, handlers.choose_kept, _STYLE)
        on(
            parts["make_way"].click,
            handlers.make_way,
            "way",
            inputs=("first", "last", "steps"),
            progress="full",
        )
    if studio.guided:
        on(parts["references"].select, handlers.choose_reference, (*_STYLE, "reference_message"))
        taken = (*_STYLE, "references", "reference", "reference_message")
        on(parts["reference"].upload, handlers.add_reference, taken, inputs="reference")
        if "more_references" in parts:
            on(parts["more_references"].click, handlers.more_references, "references")


def _on(parts, event, act, outputs=(), inputs=(), progress="hidden", anew=False, **options):
    """Runs an act on an event: it takes the Visit and `inputs`, and gives {name of a part: new value}.

    Names that the page of a method has no part for are passed over. An act that begins a visit is `anew`.
    """

    def components(names):
        names = (names,) if isinstance(names, str) else names
        # "sliders" stands for all of them.
        return [
            part
            for name in names
            for key, part in parts.items()
            if key == name or (name == "sliders" and key.startswith("slider"))
        ]

    def named(changes):
        return {parts[name]: value for name, value in (changes or {}).items() if name in parts}

    if inspect.isgeneratorfunction(act):

        @functools.wraps(act)
        def run(visit, *arguments):
            with _told(visit or anew):
                yield from map(named, act(visit, *arguments))

    else:

        @functools.wraps(act)
        def run(visit, *arguments):
            with _told(visit or anew):
                return named(act(visit, *arguments)) or None

    return event(
        run,
        [parts["visit"], *components(inputs)],
        components(outputs),
        show_progress=progress,
        api_visibility="private",
        **options,
    )


@contextlib.contextmanager
def _told(visit):
    """An InputError becomes a message on the page; so does a visit that the server has forgotten."""
    try:
        if not visit:
            raise InputError(handlers.FORGOTTEN)
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error)), duration=None, print_exception=False) from error
