"""The page: its components, its texts, and what happens on each event."""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import io
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from munit_tf.errors import InputError
from munit_tf.explorer import files
from munit_tf.explorer.model_service import ModelService
from munit_tf.explorer.session import Session
from munit_tf.inference import result_grid
from munit_tf.inference.interpolation import slerp

_SLIDER_RANGE = 3
_REDRAW_EVERY_S = 1.0
# In pixels. Gradio shows the canvas scaled down.
_CANVAS, _CANVAS_HEIGHT = 512, 400
_PEN = 1.5  # As in training, in pixels of the picture.
_DELETE_FILES = 3600, 24 * 3600  # In seconds: every hour, deletes files older than a day.
# On each event, Gradio updates every component that ever showed progress. Without any, sliders are faster.
_EVENT = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
_EXPIRED = "This page has expired: reload it."
# {component: its new value or properties}.
_Changes = dict[Any, Any]


def build(service: ModelService) -> gr.Blocks:
    """Builds the page."""
    title = f"Style explorer: {service.subject}"
    names = service.model.directions
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=_DELETE_FILES) as page:
        gr.HTML(_head(service))
        if len(names) == 1:
            _Direction(service, names[0], page.load)
            return page
        choices = [(" → ".join(service.domain_names(name)), name) for name in names]
        look = dict(show_label=False, container=False, elem_classes="direction")
        choice = gr.Radio(choices, value=names[0], **look)
        with gr.Column() as first:
            _Direction(service, names[0], page.load)
        with gr.Column(visible=False) as second:
            _Direction(service, names[1], choice.input)

        def switch(chosen):
            return [gr.Column(visible=name == chosen) for name in names]

        choice.input(switch, choice, [first, second], **_EVENT)
    return page


def _head(service: ModelService) -> str:
    model = service.model
    facts = f"{type(model).__name__}, trained on {service.subject} for {int(model.step):,} steps"
    text = "The model keeps the content of your picture and translates it to the other domain."
    if model.style_dim:
        text = (
            "A picture has <b>content</b> (what it shows, and where) and <b>style</b> (how it looks). "
            "The model keeps the content of your picture and gives it any style you like."
        )
    facts = f'<div class="facts">{html.escape(facts)}</div>'
    return f"<header><h1>Style explorer</h1>{facts}<p>{text}</p></header>"


class _Direction:
    """The part of the page for one direction.

    Args:
        service: the model.
        direction: "a2b" or "b2a".
        start: the event on which a visitor sees this part for the first time.
    """

    def __init__(self, service: ModelService, direction: str, start: Callable):
        self._service = service
        self._direction = direction
        self._styled = bool(service.model.style_dim)
        self._session = gr.State()
        self._sliders: list[gr.Slider] = []
        self._galleries: dict[str, gr.Gallery] = {}  # By the attribute of Session that they show.
        with gr.Column(elem_classes="pixels" if service.small else ""):
            if service.is_drawn(direction):  # The canvas must not move while someone draws.
                self._choices()
                self._equation()
            else:
                self._equation()
                self._choices()
        parts = [part for part in vars(self).values() if isinstance(part, gr.blocks.Block)]
        self._outputs = [*parts, *self._sliders, *self._galleries.values()]
        self._connect(start)

    def _choices(self) -> None:
        """The picture, and several styles."""
        with gr.Row(elem_classes="choices"):
            with gr.Column(scale=2, min_width=300, elem_classes="card"):
                if self._service.is_drawn(self._direction):
                    gr.HTML("<h2>Draw</h2><p>Outlines, with the mouse or a finger.</p>")
                    self._drawing = _sketchpad("drawing", self._service.resize)
                reason = self._service.no_images_reason
                text = f"{reason} Upload" if reason else "Test images of the data set. Or upload"
                gr.HTML(f"<h2>Choose a picture</h2><p>{html.escape(text)} your own.</p>")
                if self._service.is_drawn(self._direction):
                    label = "Uploads are photos: translate their edges"
                    self._edges = gr.Checkbox(True, label=label, container=False, elem_classes="edges")
                self._photo, self._more_pictures = self._choice("pictures", "photo")
            with gr.Column(scale=3, min_width=300, elem_classes="card"), gr.Tabs():
                self._tabs()

    def _equation(self) -> None:
        """Content + style = translation."""
        with gr.Row(elem_classes=["equation", "" if self._styled else "styleless"], equal_height=True):
            with gr.Column(elem_classes=["card", "content"], min_width=0):
                title = "Content" if self._styled else "Before"
                gr.HTML(f"<h2>{title}</h2><p>What the picture shows.</p>")
                text = self._service.first_thing_to_do(self._direction)
                self._before = gr.HTML(f'<div class="empty">{text}</div>', elem_classes="before")
            if self._styled:
                with gr.Column(elem_classes=["card", "style"], min_width=0):
                    self._style()
            with gr.Column(elem_classes=["card", "result"], min_width=0):
                name, text = ("Translation", " in this style") if self._styled else ("After", ", translated")
                gr.HTML(f"<h2>{name}</h2><p>The same content{text}.</p>")
                self._after = gr.HTML('<div class="empty"></div>', elem_classes="after")
                with gr.Row():
                    self._picture_file = _download("picture_file", "Picture (.png)")
                    self._code_file = _download("code_file", "Style code (.npy)", visible=self._styled)

    def _style(self) -> None:
        count = self._service.model.style_dim
        text = "one number. Move it." if count == 1 else f"{count} numbers. Move them."
        gr.HTML(f"<h2>Style</h2><p>How it looks: {text}</p>")
        with gr.Column(elem_classes=["sliders", "many" if count > 4 else ""]):
            for k in range(count):
                ends = -_SLIDER_RANGE, _SLIDER_RANGE
                self._sliders.append(_slider(f"slider{k}", f"Number {k + 1}", *ends, value=0, step=0.05))
        self._origin = gr.HTML(elem_classes="origin")
        with gr.Row():
            self._random_style = _button("random_style", "Random style")
            self._keep = _button("keep", "Keep this style", variant="primary")

    def _choice(self, name: str, upload: str) -> tuple[gr.File, gr.Button | None]:
        """A gallery of pictures to choose from; returns the components to upload one and to show others."""
        self._galleries[name] = _gallery(name)
        more = None if self._service.no_images_reason else _button(f"more_{name}", "Other pictures")
        return gr.File(file_types=["image"], show_label=False, height=130, elem_classes=upload), more

    def _tabs(self) -> None:
        if self._styled:
            with gr.Tab("Random"):
                gr.HTML("<p>The same content in random styles. Click one.</p>")
                self._galleries["random"] = _gallery("random")
                self._more = _button("more", "More")
        if self._service.guided:
            with gr.Tab("From a picture"):
                gr.HTML("<p>Use the style of another picture. Its content has no effect.</p>")
                self._reference, self._more_references = self._choice("references", "reference")
        if self._styled:
            with gr.Tab("Kept"):
                self._kept()
        with gr.Tab("Table"):
            styles = " in all kept styles: one row per picture, one column per style" if self._styled else ""
            gr.HTML(f"<p>Several pictures{styles}.</p>")
            with gr.Row(elem_classes="ask"):
                self._rows = _slider("rows", "Pictures", 1, 12, value=4, step=1)
                self._make_table = _button("make_table", "Show", variant="primary")
            self._table = _image("table", visible=False)

    def _kept(self) -> None:
        use = "<code>munit_tf.translate --style_from=styles.npy</code> uses them."
        gr.HTML(f"<p>Click one to select it. {use}</p>")
        self._galleries["kept"] = _gallery("kept")
        with gr.Row():
            self._codes_file = _download("codes_file", "")
            self._clear = _button("clear_kept", "Clear all")
        gr.HTML("<h3>Interpolation</h3>")
        with gr.Row(elem_classes="ask"):
            self._first = gr.Dropdown(label="From", min_width=100)
            self._last = gr.Dropdown(label="To", min_width=100)
            self._steps = _slider("steps", "Steps", 2, 24, value=8, step=1)
            self._interpolate = _button("interpolate", "Show", variant="primary")
        with gr.Row(visible=False, elem_classes="interpolation") as self._interpolation:
            self._animation = _image("animation", min_width=200)
            with gr.Column(scale=3, min_width=200):
                self._strip = _gallery("strip")
                self._strip_file = _download("strip_file", "Strip (.png)")

    def _connect(self, start: Callable) -> None:
        start(self._start, self._session, self._outputs, **_EVENT)
        if self._styled:
            self._fill(self._before.change, "kept")
            self._fill(self._before.change, "random")
        drawn = self._service.is_drawn(self._direction)
        uploads = self._photo, self._more_pictures, self._edges if drawn else None
        self._connect_choice("pictures", Session.choose, self._shown_picture, *uploads)
        if drawn:
            # While an image is computed, only the latest drawing is queued.
            options = dict(show=self._shown_picture, trigger_mode="always_last")
            self._on(self._drawing.input, _choose_drawing, self._drawing, **options)
        busy = dict(show_progress="full", show_progress_on=self._rows)
        self._on(self._make_table.click, self._shown_table, self._rows, **busy)
        if not self._styled:
            return
        for k, slider in enumerate(self._sliders):
            outputs = [self._origin, self._after, self._picture_file, self._code_file]
            # While an image is computed, only the slider's latest value is queued.
            options = dict(show=self._shown_move, outputs=outputs, trigger_mode="always_last")
            self._on(slider.input, lambda session, value, k=k: session.move(k, value), slider, **options)
        self._on(self._random_style.click, Session.draw, show=self._shown_style)
        for name in ("random", "kept"):
            self._connect_choice(name, Session.take_style, self._shown_style)
        self._fill(self._on(self._more.click, Session.draw_more, outputs=[]).then, "random")
        self._fill(self._on(self._keep.click, Session.keep, show=self._shown_keep).then, "kept")
        self._fill(
            self._on(self._clear.click, lambda session: session.kept.clear(), show=self._shown_kept).then,
            "kept",
        )
        ends = self._first, self._last, self._steps
        busy = dict(show_progress="full", show_progress_on=self._steps)
        self._on(self._interpolate.click, self._shown_interpolation, *ends, **busy)
        if self._service.guided:
            references = self._reference, self._more_references
            self._connect_choice("references", Session.take_style_of, self._shown_style, *references)

    def _on(self, event, handler, *inputs, show=None, **options):
        """Calls a handler with the Session and the values of `inputs`; it returns changes, or else `show`."""

        @functools.wraps(handler)
        def run(session, *values):
            with _errors_shown(session):
                changes = handler(session, *values)
                return (show(session) if show else changes) or gr.skip()

        return event(run, [self._session, *inputs], **{"outputs": self._outputs, **_EVENT, **options})

    def _connect_choice(self, name, use, show, file=None, more=None, edges=None):
        """Calls `use` with the item of a gallery that is clicked, or with an uploaded picture.

        `edges` is the checkbox that says whether uploads are photos whose edges are translated.
        """

        def choose(session: Session, event: gr.SelectData) -> None:
            items = getattr(session, name)
            if event.index >= len(items):
                raise InputError(_EXPIRED)
            use(session, items[event.index])

        def add(session, path, edges=False):
            try:
                use(session, getattr(session, name).add(path, edges))
                return {file: None, **show(session), **self._shown_list(session, name)}
            except InputError as error:  # An exception would leave the file in its field.
                gr.Warning(html.escape(str(error)), duration=None)
                return {file: None}

        def show_more(session):
            getattr(session, name).more()
            return self._shown_list(session, name)

        self._on(self._galleries[name].select, choose, show=show)
        if file:
            self._on(file.upload, add, *filter(None, (file, edges)))
        if more:
            self._on(more.click, show_more)

    def _fill(self, event, name):
        """Shows the picture in the styles of a gallery, a few at a time if they take long."""

        def fill(session):
            with _errors_shown(session):
                picture, codes, shown = session.picture, np.array(getattr(session, name)), time.monotonic()
                thumbnails = []
                for image in session.translations(codes) if picture and len(codes) else ():
                    if session.picture is not picture:
                        return
                    thumbnails.append(files.thumbnail(files.to_image(image)))
                    if time.monotonic() - shown > _REDRAW_EVERY_S:
                        yield gr.Gallery(thumbnails, selected_index=None)
                        shown = time.monotonic()
                yield gr.Gallery(thumbnails, selected_index=None)

        return event(fill, self._session, self._galleries[name], **_EVENT)

    def _start(self, session: Session) -> _Changes:
        with _errors_shown(True):
            if session:
                return gr.skip()
            session = Session(self._service, self._direction)
            changes = {self._session: session, **self._shown_list(session, "pictures")}
            if self._styled:
                changes |= {**self._shown_style(session), **self._shown_kept(session)}
            if self._service.guided:
                changes |= self._shown_list(session, "references")
            return changes | self._shown_picture(session)

    def _shown_list(self, session: Session, name: str) -> _Changes:
        pictures = [files.thumbnail(each.image) for each in getattr(session, name)]
        return {self._galleries[name]: gr.Gallery(pictures, selected_index=None)}

    def _shown_picture(self, session: Session) -> _Changes:
        if session.picture is None or session.encoded is None:
            return {}
        facts = f"{session.encoded.width} × {session.encoded.height} pixels"
        if self._service.model.has_content_code:
            facts += " · content code " + " × ".join(map(str, session.encoded.code.shape[1:]))
        facts = html.escape(". ".join(filter(None, (facts, session.picture.notes))))
        before = f'{_img(session.picture.image, "the picture")}<div class="facts">{facts}</div>'
        return {self._before: before, **self._shown_translation(session), **self._no_results()}

    def _shown_translation(self, session: Session) -> _Changes:
        if session.picture is None:
            return {}
        image = files.to_image(session.translation())
        folder, name = files.new_folder(), f"{session.picture.name}_{self._direction}.png"
        changes = {
            self._after: _img(image, "the translation"),
            self._picture_file: _ready(files.png(folder / name, image)),
        }
        if session.style is not None:
            changes[self._code_file] = _ready(files.npy(folder / "style.npy", [session.style]))
        # Moving a slider writes new files. A visitor may still be downloading the previous ones.
        session.folders.append(folder)
        if len(session.folders) > 2:
            shutil.rmtree(session.folders.pop(0), ignore_errors=True)
        return changes

    def _shown_move(self, session: Session) -> _Changes:
        return {self._origin: "", **self._shown_translation(session)}

    def _shown_style(self, session: Session) -> _Changes:
        changes: _Changes = {}
        code = [] if session.style is None else session.style.tolist()
        for slider, value in zip(self._sliders, code):
            # The range is widened if the value needs it.
            most = max(_SLIDER_RANGE, float(np.ceil(abs(value))))
            changes[slider] = gr.Slider(minimum=-most, maximum=most, value=round(value, 2))
        origin = ""
        if session.reference:
            text = html.escape(f"The style of this picture. {session.reference.notes}")
            origin = f"{_img(files.thumbnail(session.reference.image), 'the reference')}<span>{text}</span>"
        return {**changes, self._origin: origin, **self._shown_translation(session)}

    def _shown_keep(self, session: Session) -> _Changes:
        gr.Info("The style is now in “Kept”.", duration=3)
        return self._shown_kept(session)

    def _shown_kept(self, session: Session) -> _Changes:
        count = len(session.kept)
        codes = files.npy(files.new_folder() / "styles.npy", session.kept) if count else None
        choices = [(f"style {k + 1}", k) for k in range(count)]
        return {
            self._codes_file: gr.DownloadButton(
                f"These {count} codes (.npy)", codes, interactive=bool(count)
            ),
            self._first: gr.Dropdown(choices, value=0 if count else None),
            self._last: gr.Dropdown(choices, value=count - 1 if count else None),
            **self._no_results(),
        }

    def _no_results(self) -> _Changes:
        hidden = gr.update(visible=False)
        return {self._table: hidden, **({self._interpolation: hidden} if self._styled else {})}

    def _shown_interpolation(
        self, session: Session, first: int | None, last: int | None, steps: float
    ) -> _Changes:
        if first is None or last is None or max(first, last) >= len(session.kept):
            raise InputError("Choose two kept styles first: “Keep this style” adds one.")
        codes = slerp(session.kept[first], session.kept[last], int(steps))
        frames = [files.to_image(each) for each in session.translations(codes)]
        labels = [f"{t:.2f}" for t in np.linspace(0, 1, len(frames))]
        folder = files.new_folder()
        return {
            self._interpolation: gr.Row(visible=True),
            self._animation: files.gif(folder / "animation.gif", frames),
            self._strip: [(files.thumbnail(frame), label) for frame, label in zip(frames, labels)],
            self._strip_file: _ready(files.png(folder / "strip.png", result_grid.arrange([frames], labels))),
        }

    def _shown_table(self, session: Session, rows: float) -> _Changes:
        if self._styled and not session.kept:
            raise InputError("There is no kept style: “Keep this style” adds one.")
        images = [[each.image, *map(files.to_image, results)] for each, results in session.table(int(rows))]
        styles = [f"style {k + 1}" for k in range(len(session.kept))] or [""]
        table = result_grid.arrange(images, ["picture", *styles])
        return {self._table: gr.Image(files.png(files.new_folder() / "table.png", table), visible=True)}


@contextlib.contextmanager
def _errors_shown(session: Any) -> Iterator[None]:
    """Shows an InputError as a message on the page, also if the server has discarded the session."""
    try:
        if not session:
            raise InputError(_EXPIRED)
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error)), duration=None, print_exception=False) from error


def _choose_drawing(session: Session, value: dict[str, Any] | None) -> None:
    drawing = value and value["composite"]
    if drawing and drawing.convert("L").getextrema()[0] < 255:  # Gradio sends an empty one at first.
        session.choose_drawing(drawing)


def _img(image: Image.Image, alt: str) -> str:
    """An image in full resolution. A data URI is faster than gr.Image, which makes the browser ask twice."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return f'<img src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}" alt="{alt}">'


def _button(name: str, text: str, **options: Any) -> gr.Button:
    return gr.Button(text, size="sm", min_width=100, elem_classes=name, **options)


def _download(name: str, text: str, **options: Any) -> gr.DownloadButton:
    return gr.DownloadButton(text, size="sm", min_width=100, interactive=False, elem_classes=name, **options)


def _ready(path: str) -> gr.DownloadButton:
    return gr.DownloadButton(value=path, interactive=True)


def _slider(name: str, label: str, *ends: float, **options: Any) -> gr.Slider:
    return gr.Slider(*ends, label=label, buttons=[], elem_classes=name, **options)


def _image(name: str, **options: Any) -> gr.Image:
    look = dict(show_label=False, container=False, buttons=["download", "fullscreen"])
    return gr.Image(interactive=False, elem_classes=["image", name], **look, **options)


def _sketchpad(name: str, resize: int) -> gr.Sketchpad:
    pen = max(2, round(_PEN * _CANVAS / resize))
    brush = gr.Brush(default_size=pen, colors=["#000000"], color_mode="fixed")
    sketchpad = gr.Sketchpad(
        Image.new("RGB", (_CANVAS, _CANVAS), "white"),
        type="pil",
        image_mode="RGB",
        brush=brush,
        eraser=gr.Eraser(default_size=5 * pen),
        canvas_size=(_CANVAS, _CANVAS),
        fixed_canvas=True,
        height=_CANVAS_HEIGHT,
        layers=False,
        transforms=(),
        buttons=[],
        show_label=False,
        container=False,
        elem_classes=name,
    )
    sketchpad.accept_blobs = _of_one_layer(sketchpad.accept_blobs)
    return sketchpad


def _of_one_layer(accept_blobs: Callable[[Any], None]) -> Callable[[Any], None]:
    """Gradio's function that takes a part of a drawing makes a list as long as the browser asks for."""

    @functools.wraps(accept_blobs)
    def accept(data: Any) -> None:
        if str(data.data["index"]) in ("0", "null", "None", ""):
            accept_blobs(data)

    return accept


def _gallery(name: str) -> gr.Gallery:
    look = dict(show_label=False, container=False, height="auto", object_fit="contain")
    options = dict(allow_preview=False, interactive=False, buttons=[], elem_classes=["gallery", name])
    return gr.Gallery(format="png", **look, **options)
