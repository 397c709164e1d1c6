"""Serves the page on this machine, without contacting any other."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator

from munit_tf.errors import InputError
from munit_tf.explorer.model_service import ModelService

_FIRST_PORT = 7860
_LARGEST_UPLOAD = "100mb"
_MOST_VISITORS = 100
# No fonts from other servers.
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


@contextlib.contextmanager
def serve(
    service: ModelService, port: int | None = None, share: bool = False, hosts: Iterable[str] = ()
) -> Iterator[tuple[str, str | None]]:
    """Serves the page; at the end, stops the server and deletes its files, also uploaded ones.

    Args:
        service: the model.
        port: the port to serve on; None: the first free one from 7860.
        share: whether to make the page public through Gradio's servers, too.
        hosts: host names, with a port if browsers show one, of a reverse proxy or a forwarded port; requests
            under any other name are refused.

    Yields:
        (the URL on this machine, the public URL or None).

    Raises:
        InputError: the port is not free.
    """
    hosts = {host.lower() for host in hosts}
    with tempfile.TemporaryDirectory(prefix="munit_tf-explore-") as folder:
        # Gradio reads these variables when it is imported and when a page is built.
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        import gradio as gr

        from munit_tf.explorer import guard, page

        blocks = page.build(service)
        blocks.queue(default_concurrency_limit=4)
        drawings = any(map(service.is_drawn, service.model.directions))
        try:
            _, address, public_address = blocks.launch(
                server_name="127.0.0.1",
                server_port=port,
                share=share,
                prevent_thread_lock=True,
                quiet=True,
                theme=gr.themes.Soft(primary_hue="indigo", neutral_hue="slate", font=_FONT, font_mono=_MONO),
                css_paths=pathlib.Path(__file__).with_name("page.css"),
                footer_links=[],
                max_file_size=_LARGEST_UPLOAD,
                state_session_capacity=_MOST_VISITORS,
                ssr_mode=False,
                enable_monitoring=False,
                mcp_server=False,
                run_history=False,
                app_kwargs=guard.app_options(hosts, drawings),
            )
        except OSError as error:
            blocks.close(verbose=False)
            ports = f"--port={port} is" if port else f"ports {_FIRST_PORT} to {_FIRST_PORT + 99} are"
            raise InputError(f"{ports} not free: choose another with --port") from error
        try:
            if public_address:
                hosts.add(urllib.parse.urlsplit(public_address).netloc)
            yield address, public_address
        finally:
            blocks.close(verbose=False)
