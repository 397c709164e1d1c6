"""The server answers its own page and nobody else: real requests over a socket."""

import http.client
import importlib.util
import json
import socket

import pytest
from inference.run_folders import make_run

from munit_tf import explore
from munit_tf.explorer.model_service import ModelService
from munit_tf.explorer.server import serve

JOIN = "/gradio_api/queue/join"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: pip install -e '.[explore]'")
    return ModelService(str(make_run(tmp_path_factory.mktemp("explore") / "run", dataset="shapes")), 1000)


@pytest.fixture(scope="module")
def port(service):
    with serve(service, hosts=["Styles.example.com", "localhost:9000"]) as (address, _):
        yield int(address.split(":")[2].strip("/"))


def ask(port, method, path, body=None, **headers):
    """(status, text) of a request with these headers, of which {port} is replaced; None: without `Host`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    headers = {"Host": "127.0.0.1:{port}", **headers}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if body is not None:
        headers["Content-Length"] = str(len(data))
        if body is not data:
            headers["Content-Type"] = "application/json"
    for name, value in headers.items():
        for each in value if isinstance(value, list) else [value] * (value is not None):
            connection.putheader(name.replace("_", "-"), each.replace("{port}", str(port)))
    connection.endheaders(data if body is not None else None)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def event(**changes):
    """What the page sends to fill the gallery of kept styles; the server has forgotten its visit."""
    return {"data": [None], "fn_index": 1, "session_hash": "test", **changes}


@pytest.mark.parametrize(
    "host, status",
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("styles.example.com", 200),
        ("localhost:9000", 200),
        ("127.0.0.1", 403),
        ("localhost", 403),
        ("127.0.0.1:1", 403),
        ("127.0.0.1:{port}.example.com", 403),
        ("localhost.example.com:{port}", 403),
        ("evil.example:{port}", 403),
        ("styles.example.com:{port}", 403),
        ("0.0.0.0:{port}", 403),
        ("", 403),
    ],
)
def test_other_names_are_refused(port, host, status):
    for method, path, body in (("GET", "/", None), ("POST", JOIN, event())):
        assert ask(port, method, path, body, Host=host)[0] == status
    preflight = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    assert ask(port, "OPTIONS", JOIN, Host=host, **preflight)[0] == 403


@pytest.mark.parametrize("host", [None, ["127.0.0.1:{port}", "evil.example"]])
def test_requests_without_exactly_one_name_are_refused(port, host):
    assert ask(port, "GET", "/", Host=host)[0] in (400, 403)  # Some versions of uvicorn do it by themselves.


def test_a_refusal_says_what_to_do(port):
    text = ask(port, "GET", "/", Host="evil.example")[1]
    assert f"http://127.0.0.1:{port}" in text and "--hosts=" in text


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "http://localhost:{port}", "Host": "localhost:{port}"}, 200),
        ({"Origin": "https://styles.example.com"}, 200),
        ({"Origin": "https://styles.example.com", "Host": "styles.example.com"}, 200),
        ({"X_Forwarded_Host": "styles.example.com"}, 200),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example:{port}"}, 403),
        ({"Origin": "http://127.0.0.1:{port}.evil.example"}, 403),
        ({"Origin": "file://127.0.0.1:{port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": ["http://127.0.0.1:{port}", "http://evil.example"]}, 403),
        ({"X_Forwarded_Host": "evil.example"}, 403),
        ({"X_Forwarded_Host": "styles.example.com, evil.example"}, 403),
    ],
)
def test_other_pages_are_refused(port, headers, status):
    requests = [("POST", JOIN, event()), ("GET", "/", None), ("GET", "/theme.css", None)]
    for method, path, body in requests:
        assert ask(port, method, path, body, **headers)[0] == status
    if status == 403:
        assert ask(port, "GET", "/gradio_api/queue/data?session_hash=test", **headers)[0] == 403
        assert ask(port, "POST", "/gradio_api/upload", b"", **headers)[0] == 403


@pytest.mark.parametrize(
    "headers", ["Host: evil.example", "Host: 127.0.0.1:{port}\r\nOrigin: http://evil.example"]
)
def test_websockets_from_other_pages_are_refused(port, headers):
    request = (
        f"GET / HTTP/1.1\r\n{headers}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.replace("{port}", str(port)).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "path",
    [
        "/docs", "/redoc", "/openapi.json", "/config", "/config/", "//config", "/%63onfig", "/assets",
        "/monitoring", "/monitoring/summary", "/gradio_api", "/gradio_api/info", "/gradio_api/openapi.json",
        "/gradio_api/info?all_endpoints=true", "/gradio_api/runs", "/gradio_api/vibe-code",
        "/gradio_api/token", "/gradio_api/proxy=http://127.0.0.1",
    ],
)  # fmt: skip
def test_what_the_server_can_do_is_not_listed(port, path):
    assert ask(port, "GET", path) == (404, "Not found.\n")


@pytest.mark.parametrize(
    "path",
    ["run/act", "api/act", "call/act", "call/v2/act", "cancel", "component_server", "component_server/"],
)
def test_functions_are_not_called_but_by_the_page(port, path):
    assert ask(port, "POST", f"/gradio_api/{path}", event()) == (404, "Not found.\n")


@pytest.mark.parametrize(
    "body, status",
    [
        (event(fn_index=-1), 404),
        (event(fn_index=10**9), 404),
        (event(fn_index=10**30), 404),
        (event(fn_index=None), 400),
        (event(fn_index="act"), 422),
        (event(session_hash=None), 400),
        (event(session_hash=[]), 422),
        (event(data="text"), 422),
        ([], 422),
        (b"{", 422),
        (b"\xff", 400),
    ],
)
def test_requests_without_sense_are_the_clients_fault(port, body, status, capfd):
    assert ask(port, "POST", JOIN, body)[0] == status
    assert "Traceback" not in capfd.readouterr().err


def test_the_public_address_is_one_of_its_own(service, monkeypatch):
    from gradio import networking

    monkeypatch.setattr(networking, "setup_tunnel", lambda **options: "https://abc.gradio.live")
    with serve(service, share=True) as (address, public_address):
        port = int(address.split(":")[2].strip("/"))
        own = {"Host": "abc.gradio.live", "Origin": "https://abc.gradio.live"}
        assert public_address == "https://abc.gradio.live"
        assert ask(port, "GET", "/", **own)[0] == ask(port, "POST", JOIN, event(), **own)[0] == 200
        assert ask(port, "GET", "/", **{**own, "Host": "abd.gradio.live"})[0] == 403
        assert ask(port, "GET", "/", **{**own, "Origin": "https://abd.gradio.live"})[0] == 403


def test_the_flag(monkeypatch):
    given = []
    monkeypatch.setattr(explore, "_explore", given.append)
    assert explore.main(["--run=x", "--hosts=localhost:9000,styles.example.com,[::1]:80"]) == 0
    assert given[0].hosts == ("localhost:9000", "styles.example.com", "[::1]:80")
