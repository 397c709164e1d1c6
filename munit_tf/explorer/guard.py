"""Which requests the page's server answers: those that its own page sends, to one of its own addresses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import PlainTextResponse

_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
_API = "/gradio_api/"
# What the page asks for. All else, among it the lists of what the server can do, is not found.
_PATHS = ("/", "/theme.css", "/favicon.ico", *(_API + name for name in ("app_id", "startup-events")))
_PATHS += tuple(_API + name for name in ("queue/join", "queue/data", "upload", "upload_progress"))
_FOLDERS = ("/assets/", "/static/", _API + "heartbeat/", _API + "file=")


class Guard:
    """An ASGI application that refuses requests which do not come from the page itself.

    A page elsewhere on the web can make a visitor's browser send requests here, under a name of its own that
    it has resolved to 127.0.0.1. Such requests have that name in `Host`, and the page's in `Origin`.

    Args:
        app: the ASGI application that answers the others.
        hosts: the names, with a port where a browser shows one, under which the server is reached besides
            this machine's own with its port; may change while it runs.
    """

    def __init__(self, app: Callable, hosts: set[str]):
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        """Answers one request."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: dict[str, Any]) -> PlainTextResponse | None:
        port = scope["server"][1]
        known = {f"{name}:{port}" for name in _OWN_NAMES} | self._hosts
        if port == 80:
            known |= set(_OWN_NAMES)

        def values(header: bytes) -> list[str]:
            return [value.decode("latin-1").lower() for name, value in scope["headers"] if name == header]

        forwarded = [name.strip() for value in values(b"x-forwarded-host") for name in value.split(",")]
        if len(values(b"host")) != 1 or not known.issuperset([*values(b"host"), *forwarded]):
            return PlainTextResponse(
                f"This page is at http://127.0.0.1:{port}. For a reverse proxy or a forwarded port, start "
                "munit_tf.explore with --hosts=NAME:PORT, as in the address.\n",
                403,
            )
        own = {f"{scheme}://{name}" for scheme in ("http", "https") for name in known}
        if not own.issuperset(values(b"origin")):
            return PlainTextResponse("Another page must not ask for this.\n", 403)
        if scope["path"] not in _PATHS and not scope["path"].startswith(_FOLDERS):
            return PlainTextResponse("Not found.\n", 404)
        return None


def app_options(hosts: set[str]) -> dict[str, Any]:
    """Options for the FastAPI application that Gradio makes; `hosts` as for `Guard`."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        # Outside Gradio's own middleware, some of which answers requests by itself.
        app.middleware_stack = Guard(app.middleware_stack, hosts)
        yield

    async def unknown_function(request: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("There is no such function.\n", 404)

    async def not_text(request: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("The request is not UTF-8 text.\n", 400)

    return {
        "lifespan": lifespan,
        "exception_handlers": {KeyError: unknown_function, UnicodeDecodeError: not_text},
    }
