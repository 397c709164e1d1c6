"""What a Desk holds, as HTML and pictures for the page."""

import base64
import html
import io

import numpy as np
from PIL import Image

from munit_tf.data import pictures
from munit_tf.inference import result_grid

_SMALL, _LARGE = 128, 320


def to_image(array):
    """Float [H,W,3] in [-1, 1] -> a PIL image, by the one rule for values."""
    return Image.fromarray(pictures.to_uint8(array))


def thumbnail(image):
    """A PIL image of a size to look at: small ones enlarged by a whole number, large ones scaled down."""
    zoom = -(-_SMALL // min(image.size))
    if zoom > 1:
        return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
    small = image.copy()
    small.thumbnail((_LARGE, _LARGE))
    return small


def picture(image, alt):
    """A PIL image as `<img>`, every pixel of it."""
    kind = ' class="pixels"' if min(image.size) < _SMALL else ""
    return f'<img{kind} src="{_png_uri(image)}" alt="{html.escape(alt)}">'


def before(desk):
    """The picture that is translated, with what was done to it."""
    if desk.picture is None:
        return '<div class="empty">Drop a photo below.</div>'
    return picture(desk.picture.image, "the picture") + _facts(_content_facts(desk))


def after(desk):
    """The translation of the picture in the style chosen, to look at and to take along."""
    if desk.picture is None:
        return '<div class="empty"></div>'
    image = to_image(desk.translation())
    links = [_link(_png_uri(image), f"{desk.picture.name}_{desk.direction}.png", "Picture (.png)")]
    if desk.style is not None:
        links.append(_link(_npy_uri([desk.style]), "style.npy", "Style code (.npy)"))
    return picture(image, "the translation") + _links(links)


def style_origin(desk):
    """The reference that the style was taken from, small."""
    if desk.reference is None:
        return ""
    small = picture(thumbnail(desk.reference.image), "the reference")
    return f'<div class="origin">{small}<span>the style of this picture</span></div>'


def kept_codes(desk):
    """The link to all kept codes."""
    if not desk.kept:
        return ""
    return _links([_link(_npy_uri(desk.kept), "styles.npy", f"These {len(desk.kept)} codes (.npy)")])


def message(text, kind="note"):
    """A sentence for the visitor; kind "note" or "error"."""
    return f'<div class="{kind}" role="status">{html.escape(text)}</div>' if text else ""


def strip(images):
    """The pictures on the way between two styles, side by side, and as an animation there and back."""
    frames = [to_image(each) for each in images]
    labels = [f"{t:.2f}" for t in np.linspace(0, 1, len(frames))]
    figures = "".join(
        f"<figure>{picture(thumbnail(frame), 'style ' + label)}<figcaption>{label}</figcaption></figure>"
        for frame, label in zip(frames, labels)
    )
    film = _uri(_animation(frames), "image/gif")
    links = [
        _link(_png_uri(result_grid.arrange([frames], labels)), "strip.png", "Strip (.png)"),
        _link(film, "animation.gif", "Animation (.gif)"),
    ]
    moving = f'<div class="film"><img src="{film}" alt="the animation"></div>'
    return f'<div class="way">{moving}<div class="strip">{figures}</div></div>' + _links(links)


def table(rows):
    """Pictures down, their translations across."""
    rows = [[each.image, *map(to_image, made)] for each, made in rows]
    columns = len(rows[0])
    names = [""] if columns == 2 else [f"style {k}" for k in range(1, columns)]
    cells = "".join(f"<b>{label}</b>" for label in ["picture", *names])
    cells += "".join(picture(thumbnail(cell), "") for row in rows for cell in row)
    whole = result_grid.arrange(rows, ["picture", *names])
    grid = f'<div class="table" style="--columns: {columns}">{cells}</div>'
    return f'<div class="wide">{grid}</div>' + _links([_link(_png_uri(whole), "table.png", "Table (.png)")])


def _content_facts(desk):
    height, width = desk.encoded.height, desk.encoded.width
    facts = f"{width} × {height} pixels"
    if desk.studio.separable:
        facts += " · content code " + " × ".join(map(str, desk.studio.content_size(desk.encoded)))
    return facts


def _facts(text):
    return f'<div class="facts">{html.escape(text)}</div>'


def _links(links):
    return f'<div class="take">{"".join(links)}</div>'


def _link(uri, name, text):
    return f'<a href="{uri}" download="{html.escape(name)}">↓&nbsp;{html.escape(text)}</a>'


def _animation(frames):
    frames = [thumbnail(frame) for frame in frames]
    file = io.BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:] + frames[-2:0:-1], duration=90, loop=0
    )
    return file.getvalue()


def _npy_uri(codes):
    file = io.BytesIO()
    np.save(file, np.stack(codes).astype(np.float32))
    return _uri(file.getvalue(), "application/octet-stream")


def _png_uri(image):
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return _uri(file.getvalue(), "image/png")


def _uri(data, kind):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
