"""Renders a DirectionState as HTML and images for the page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from munit_tf.data import pictures
from munit_tf.explorer.photos import Picture
from munit_tf.explorer.session import DirectionState
from munit_tf.inference import result_grid

_SMALL, _LARGE = 128, 320


def to_image(array: np.ndarray) -> Image.Image:
    """Float [H,W,3] in [-1, 1] -> RGB image, see `pictures.to_uint8`."""
    return Image.fromarray(pictures.to_uint8(array))


def thumbnail(image: Image.Image) -> Image.Image:
    """Enlarges small images by an integer factor, and scales large ones down."""
    zoom = -(-_SMALL // min(image.size))
    if zoom > 1:
        return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    small = image.copy()
    small.thumbnail((_LARGE, _LARGE))
    return small


def picture(image: Image.Image, alt: str) -> str:
    """An image as `<img>`, in full resolution."""
    kind = ' class="pixels"' if min(image.size) < _SMALL else ""
    return f'<img{kind} src="{_png_uri(image)}" alt="{html.escape(alt)}">'


def before(state: DirectionState) -> str:
    """The input picture and its properties."""
    if state.picture is None:
        return '<div class="empty">Upload a photo below.</div>'
    return picture(state.picture.image, "the picture") + _facts(_content_facts(state))


def after(state: DirectionState) -> str:
    """The translation of the picture in the selected style, with links to download both."""
    if state.picture is None:
        return '<div class="empty"></div>'
    image = to_image(state.translation())
    links = [_link(_png_uri(image), f"{state.picture.name}_{state.direction}.png", "Picture (.png)")]
    if state.style is not None:
        links.append(_link(_npy_uri([state.style]), "style.npy", "Style code (.npy)"))
    return picture(image, "the translation") + _links(links)


def style_origin(state: DirectionState) -> str:
    """A thumbnail of the reference that the style was taken from."""
    if state.reference is None:
        return ""
    small = picture(thumbnail(state.reference.image), "the reference")
    return f'<div class="origin">{small}<span>the style of this picture</span></div>'


def kept_codes(state: DirectionState) -> str:
    """The link to download all kept codes."""
    if not state.kept:
        return ""
    return _links([_link(_npy_uri(state.kept), "styles.npy", f"These {len(state.kept)} codes (.npy)")])


def message(text: str, kind: str = "note") -> str:
    """A message for the visitor; `kind` is "note" or "error"."""
    return f'<div class="{kind}" role="status">{html.escape(text)}</div>' if text else ""


def strip(images: Iterable[np.ndarray]) -> str:
    """The images of an interpolation side by side, and as an animation forward and backward."""
    frames = [to_image(each) for each in images]
    labels = [f"{t:.2f}" for t in np.linspace(0, 1, len(frames))]
    figures = "".join(
        f"<figure>{picture(thumbnail(frame), 'style ' + label)}<figcaption>{label}</figcaption></figure>"
        for frame, label in zip(frames, labels)
    )
    animation = _uri(_animation(frames), "image/gif")
    links = [
        _link(_png_uri(result_grid.arrange([frames], labels)), "strip.png", "Strip (.png)"),
        _link(animation, "animation.gif", "Animation (.gif)"),
    ]
    player = f'<div class="film"><img src="{animation}" alt="the animation"></div>'
    return f'<div class="interpolation">{player}<div class="strip">{figures}</div></div>' + _links(links)


def table(rows: Sequence[tuple[Picture, Sequence[np.ndarray]]]) -> str:
    """One row per picture, with its translations."""
    images = [[each.image, *map(to_image, translations)] for each, translations in rows]
    columns = len(images[0])
    names = [""] if columns == 2 else [f"style {k}" for k in range(1, columns)]
    cells = "".join(f"<b>{label}</b>" for label in ["picture", *names])
    cells += "".join(picture(thumbnail(cell), "") for row in images for cell in row)
    uri = _png_uri(result_grid.arrange(images, ["picture", *names]))
    grid = f'<div class="table" style="--columns: {columns}">{cells}</div>'
    return f'<div class="wide">{grid}</div>' + _links([_link(uri, "table.png", "Table (.png)")])


def _content_facts(state):
    height, width = state.encoded.height, state.encoded.width
    facts = f"{width} × {height} pixels"
    if state.service.separable:
        facts += " · content code " + " × ".join(map(str, state.service.content_size(state.encoded)))
    return facts


def _facts(text):
    return f'<div class="facts">{html.escape(text)}</div>'


def _links(links):
    return f'<div class="take">{"".join(links)}</div>'


def _link(uri, name, text):
    return f'<a href="{uri}" download="{html.escape(name)}">↓&nbsp;{html.escape(text)}</a>'


def _animation(frames: Sequence[Image.Image]) -> bytes:
    frames = [thumbnail(frame) for frame in frames]
    file = io.BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:] + frames[-2:0:-1], duration=90, loop=0
    )
    return file.getvalue()


def _npy_uri(codes: Sequence[np.ndarray]) -> str:
    file = io.BytesIO()
    np.save(file, np.stack(codes).astype(np.float32))
    return _uri(file.getvalue(), "application/octet-stream")


def _png_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return _uri(file.getvalue(), "image/png")


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
