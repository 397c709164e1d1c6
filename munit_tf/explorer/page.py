"""The page: what is where, and what it says. What happens is in `acts`."""

import html

import gradio as gr

from munit_tf.explorer import events, handlers
from munit_tf.explorer.model_service import source_domain, target_domain

_SLIDER_STEP = 0.05
_DELETE_FILES = 3600, 24 * 3600  # Every hour, in seconds, those older than a day.


def build(studio):
    """The page of a Studio, a gr.Blocks."""
    title = f"Style explorer: {studio.subject}"
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=_DELETE_FILES) as page:
        parts = {"visit": gr.State()}
        gr.HTML(_head(studio))
        if len(studio.directions) > 1:
            parts["direction"] = gr.Radio(
                [(_direction_name(studio, name), name) for name in studio.directions],
                value=studio.directions[0],
                show_label=False,
                container=False,
                elem_id="direction",
            )
        parts |= _equation(studio)
        with gr.Row(elem_id="choices"):
            with gr.Column(scale=2, min_width=300, elem_classes="card"):
                parts |= _picture_choice(studio)
            with gr.Column(scale=3, min_width=300, elem_classes="card"), gr.Tabs():
                parts |= _tabs(studio)
        events.wire(page, parts, studio)
    return page


def _head(studio):
    facts = f"{studio.method}, trained on {studio.subject} for {studio.step:,} steps"
    if studio.style_dim:
        text = (
            "A picture is <b>content</b>, what is where, and <b>style</b>, how it looks. "
            "The model keeps the content of your picture and gives it any style you like."
        )
    else:
        text = "The model keeps what is where in your picture, and shows it as a picture of the other kind."
    return (
        f'<header><h1>Style explorer</h1><div class="facts">{html.escape(facts)}</div><p>{text}</p></header>'
    )


def _direction_name(studio, direction):
    names = (studio.domain_name(domain(direction)) for domain in (source_domain, target_domain))
    return " → ".join(names)


def _card(title, text):
    return gr.HTML(f"<h2>{title}</h2><p>{text}</p>")


def _equation(studio):
    """Content + style = translation."""
    parts = {}
    kind = "" if studio.style_dim else "styleless"
    with gr.Row(elem_id="equation", elem_classes=kind, equal_height=True):
        with gr.Column(elem_classes=["card", "content"], min_width=0):
            _card("Content" if studio.style_dim else "Before", "What is where in this picture.")
            parts["before"] = gr.HTML(elem_id="before")
        if studio.style_dim:
            with gr.Column(elem_classes=["card", "style"], min_width=0):
                parts |= _sliders(studio)
        with gr.Column(elem_classes=["card", "result"], min_width=0):
            if studio.style_dim:
                _card("Translation", "The same content in this style.")
            else:
                _card("After", "The same, translated.")
            parts["after"] = gr.HTML(elem_id="after")
    return parts


def _sliders(studio):
    numbers, them = ("one number", "it") if studio.style_dim == 1 else (f"{studio.style_dim} numbers", "them")
    _card("Style", f"How it looks: {numbers}. Move {them}.")
    with gr.Column(elem_id="sliders", elem_classes="many" if studio.style_dim > 4 else ""):
        parts = {
            f"slider{k}": gr.Slider(
                -handlers.SLIDER_RANGE,
                handlers.SLIDER_RANGE,
                value=0,
                step=_SLIDER_STEP,
                label=f"Number {k + 1}",
                elem_id=f"slider{k}",
                buttons=[],
            )
            for k in range(studio.style_dim)
        }
    parts["origin"] = gr.HTML(elem_id="origin")
    with gr.Row():
        parts["surprise"] = gr.Button("Random style", size="sm", min_width=100, elem_id="surprise")
        parts["keep"] = gr.Button(
            "Keep this style", size="sm", min_width=100, variant="primary", elem_id="keep"
        )
    return parts


def _picture_choice(studio):
    _card("Choose a picture", _where_from(studio))
    parts = {"pictures": _gallery("pictures", 4)}
    if not studio.lack:
        parts["more_pictures"] = gr.Button("Other pictures", size="sm", elem_id="more_pictures")
    parts["photo"] = _drop("photo")
    parts["photo_message"] = gr.HTML(elem_id="photo_message")
    return parts


def _where_from(studio):
    if studio.lack:
        return html.escape(f"{studio.lack} Drop your own.")
    return "Test images of the data set. Or drop your own."


def _gallery(name, columns):
    return gr.Gallery(
        columns=columns,
        elem_id=name,
        elem_classes="gallery",
        show_label=False,
        allow_preview=False,
        interactive=False,
        format="png",
        height="auto",
        object_fit="contain",
        buttons=[],
        container=False,
    )


def _drop(name):
    return gr.File(file_types=["image"], show_label=False, height=130, elem_id=name, elem_classes="drop")


def _tabs(studio):
    parts = {}
    if studio.style_dim:
        with gr.Tab("Random"):
            gr.HTML("<p>The same content, styles drawn at random. Click one.</p>")
            parts["random"] = _gallery("random", 5)
            parts["more"] = gr.Button("More", size="sm", elem_id="more")
    if studio.guided:
        with gr.Tab("From a picture", id="guided") as parts["guided_tab"]:
            gr.HTML("<p>Take the style of another picture. Its content plays no part.</p>")
            parts["references"] = _gallery("references", 6)
            if not studio.lack:
                parts["more_references"] = gr.Button("Other pictures", size="sm", elem_id="more_references")
            parts["reference"] = _drop("reference")
            parts["reference_message"] = gr.HTML(elem_id="reference_message")
    if studio.style_dim:
        with gr.Tab("Kept", id="kept") as parts["kept_tab"]:
            parts |= _kept()
    with gr.Tab("Table"):
        text = "Several pictures"
        text += " by all kept styles: down the content, across the style." if studio.style_dim else "."
        gr.HTML(f"<p>{text}</p>")
        with gr.Row(elem_classes="ask"):
            parts["rows"] = gr.Slider(1, 12, value=4, step=1, label="Pictures", buttons=[], elem_id="rows")
            parts["make_table"] = gr.Button("Show", variant="primary", size="sm", elem_id="make_table")
        parts["table"] = gr.HTML(elem_id="table")
    return parts


def _kept():
    gr.HTML(
        "<p>Click one to go back to it. <code>munit_tf.translate --style_from=styles.npy</code> takes them "
        "along.</p>"
    )
    parts = {"kept": _gallery("kept", 6), "codes": gr.HTML(elem_id="codes")}
    parts["forget"] = gr.Button("Forget all", size="sm", elem_id="forget")
    gr.HTML("<h3>From one to another</h3>")
    with gr.Row(elem_classes="ask"):
        parts["first"] = gr.Dropdown(label="From", elem_id="first", min_width=100)
        parts["last"] = gr.Dropdown(label="To", elem_id="last", min_width=100)
        parts["steps"] = gr.Slider(2, 24, value=8, step=1, label="Steps", buttons=[], elem_id="steps")
        parts["make_way"] = gr.Button("Show", variant="primary", size="sm", elem_id="make_way")
    parts["way"] = gr.HTML(elem_id="way")
    return parts
