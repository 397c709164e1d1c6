"""Restricts the server to requests that its own page sends to one of its own addresses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import PlainTextResponse

_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
_API = "/gradio_api/"
# The paths that the page requests. Everything else, including the API documentation, is not found.
_PATHS = ("/", "/theme.css", "/favicon.ico", *(_API + name for name in ("app_id", "startup-events")))
_PATHS += tuple(_API + name for name in ("queue/join", "queue/data", "upload", "upload_progress"))
_DRAWINGS = _API + "component_server/"
_FOLDERS = ("/assets/", "/static/", _API + "heartbeat/", _API + "file=")


class Guard:
    """An ASGI application that refuses requests that do not come from the page itself.

    Another website can make a visitor's browser send requests here, under a name that it resolves to
    127.0.0.1 (DNS rebinding). These requests have that name in `Host` and the website in `Origin`.

    Args:
        app: the ASGI application that answers all other requests.
        hosts: further host names of the server, with a port if browsers show one; may change while it runs.
        drawings: whether the page sends drawings.
    """

    def __init__(self, app: Callable, hosts: set[str], drawings: bool):
        self._app = app
        self._paths = {*_PATHS, _DRAWINGS} if drawings else set(_PATHS)
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
            return PlainTextResponse("Requests from other pages are refused.\n", 403)
        if scope["path"] not in self._paths and not scope["path"].startswith(_FOLDERS):
            return PlainTextResponse("Not found.\n", 404)
        return None


def app_options(hosts: set[str], drawings: bool) -> dict[str, Any]:
    """Options for Gradio's FastAPI application; the arguments are those of `Guard`."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        # Outermost, because some of Gradio's own middleware answers requests itself.
        app.middleware_stack = Guard(app.middleware_stack, hosts, drawings)
        yield

    async def unknown_function(request: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("There is no such function.\n", 404)

    async def not_text(request: Any, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("The request is not UTF-8 text.\n", 400)

    return {
        "lifespan": lifespan,
        "exception_handlers": {KeyError: unknown_function, UnicodeDecodeError: not_text},
    }
