"""The layout and the texts of the page; `handlers` contains its behavior."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from munit_tf.explorer import events, handlers
from munit_tf.explorer.model_service import ModelService, source_domain, target_domain

_SLIDER_STEP = 0.05
_DELETE_FILES = 3600, 24 * 3600  # In seconds: every hour, deletes files older than a day.


def build(service: ModelService) -> gr.Blocks:
    """Builds the page."""
    title = f"Style explorer: {service.subject}"
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=_DELETE_FILES) as page:
        parts: dict[str, Any] = {"session": gr.State()}
        gr.HTML(_head(service))
        if len(service.directions) > 1:
            parts["direction"] = gr.Radio(
                [(_direction_name(service, name), name) for name in service.directions],
                value=service.directions[0],
                show_label=False,
                container=False,
                elem_id="direction",
            )
        parts |= _equation(service)
        with gr.Row(elem_id="choices"):
            with gr.Column(scale=2, min_width=300, elem_classes="card"):
                parts |= _picture_choice(service)
            with gr.Column(scale=3, min_width=300, elem_classes="card"), gr.Tabs():
                parts |= _tabs(service)
        events.wire(page, parts, service)
    return page


def _head(service: ModelService) -> str:
    facts = f"{service.method}, trained on {service.subject} for {service.step:,} steps"
    if service.style_dim:
        text = (
            "A picture has <b>content</b> (what it shows, and where) and <b>style</b> (how it looks). "
            "The model keeps the content of your picture and gives it any style you like."
        )
    else:
        text = "The model keeps the content of your picture and translates it to the other domain."
    return (
        f'<header><h1>Style explorer</h1><div class="facts">{html.escape(facts)}</div><p>{text}</p></header>'
    )


def _direction_name(service: ModelService, direction: str) -> str:
    names = (service.domain_name(domain(direction)) for domain in (source_domain, target_domain))
    return " → ".join(names)


def _card(title: str, text: str) -> gr.HTML:
    return gr.HTML(f"<h2>{title}</h2><p>{text}</p>")


def _equation(service: ModelService) -> dict[str, Any]:
    """Content + style = translation."""
    parts: dict[str, Any] = {}
    kind = "" if service.style_dim else "styleless"
    with gr.Row(elem_id="equation", elem_classes=kind, equal_height=True):
        with gr.Column(elem_classes=["card", "content"], min_width=0):
            _card("Content" if service.style_dim else "Before", "What the picture shows.")
            parts["before"] = gr.HTML(elem_id="before")
        if service.style_dim:
            with gr.Column(elem_classes=["card", "style"], min_width=0):
                parts |= _sliders(service)
        with gr.Column(elem_classes=["card", "result"], min_width=0):
            if service.style_dim:
                _card("Translation", "The same content in this style.")
            else:
                _card("After", "The same content, translated.")
            parts["after"] = gr.HTML(elem_id="after")
    return parts


def _sliders(service: ModelService) -> dict[str, Any]:
    numbers, them = (
        ("one number", "it") if service.style_dim == 1 else (f"{service.style_dim} numbers", "them")
    )
    _card("Style", f"How it looks: {numbers}. Move {them}.")
    with gr.Column(elem_id="sliders", elem_classes="many" if service.style_dim > 4 else ""):
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
            for k in range(service.style_dim)
        }
    parts["origin"] = gr.HTML(elem_id="origin")
    with gr.Row():
        parts["random_style"] = gr.Button("Random style", size="sm", min_width=100, elem_id="random_style")
        parts["keep"] = gr.Button(
            "Keep this style", size="sm", min_width=100, variant="primary", elem_id="keep"
        )
    return parts


def _picture_choice(service: ModelService) -> dict[str, Any]:
    _card("Choose a picture", _where_from(service))
    parts = {"pictures": _gallery("pictures", 4)}
    if not service.no_images_reason:
        parts["more_pictures"] = gr.Button("Other pictures", size="sm", elem_id="more_pictures")
    parts["photo"] = _drop("photo")
    parts["photo_message"] = gr.HTML(elem_id="photo_message")
    return parts


def _where_from(service: ModelService) -> str:
    if service.no_images_reason:
        return html.escape(f"{service.no_images_reason} Upload your own.")
    return "Test images of the data set. Or upload your own."


def _gallery(name: str, columns: int) -> gr.Gallery:
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


def _drop(name: str) -> gr.File:
    return gr.File(file_types=["image"], show_label=False, height=130, elem_id=name, elem_classes="drop")


def _tabs(service: ModelService) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if service.style_dim:
        with gr.Tab("Random"):
            gr.HTML("<p>The same content in random styles. Click one.</p>")
            parts["random"] = _gallery("random", 5)
            parts["more"] = gr.Button("More", size="sm", elem_id="more")
    if service.guided:
        with gr.Tab("From a picture", id="guided") as parts["guided_tab"]:
            gr.HTML("<p>Use the style of another picture. Its content has no effect.</p>")
            parts["references"] = _gallery("references", 6)
            if not service.no_images_reason:
                parts["more_references"] = gr.Button("Other pictures", size="sm", elem_id="more_references")
            parts["reference"] = _drop("reference")
            parts["reference_message"] = gr.HTML(elem_id="reference_message")
    if service.style_dim:
        with gr.Tab("Kept", id="kept") as parts["kept_tab"]:
            parts |= _kept()
    with gr.Tab("Table"):
        text = "Several pictures"
        text += (
            " in all kept styles: one row per picture, one column per style." if service.style_dim else "."
        )
        gr.HTML(f"<p>{text}</p>")
        with gr.Row(elem_classes="ask"):
            parts["rows"] = gr.Slider(1, 12, value=4, step=1, label="Pictures", buttons=[], elem_id="rows")
            parts["make_table"] = gr.Button("Show", variant="primary", size="sm", elem_id="make_table")
        parts["table"] = gr.HTML(elem_id="table")
    return parts


def _kept() -> dict[str, Any]:
    gr.HTML(
        "<p>Click one to select it. <code>munit_tf.translate --style_from=styles.npy</code> uses them.</p>"
    )
    parts = {"kept": _gallery("kept", 6), "codes": gr.HTML(elem_id="codes")}
    parts["clear_kept"] = gr.Button("Clear all", size="sm", elem_id="clear_kept")
    gr.HTML("<h3>Interpolation</h3>")
    with gr.Row(elem_classes="ask"):
        parts["first"] = gr.Dropdown(label="From", elem_id="first", min_width=100)
        parts["last"] = gr.Dropdown(label="To", elem_id="last", min_width=100)
        parts["steps"] = gr.Slider(2, 24, value=8, step=1, label="Steps", buttons=[], elem_id="steps")
        parts["interpolate"] = gr.Button("Show", variant="primary", size="sm", elem_id="interpolate")
    parts["interpolation"] = gr.HTML(elem_id="interpolation")
    return parts
