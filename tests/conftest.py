"""The whole suite: no accelerator, two logical CPU devices, one thread between operations."""

import gc
import http.server
import os
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf

from munit_tf.distribution import devices

tf.config.set_visible_devices([], "GPU")
devices.set_up()
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# What the modules consist of, 300,000 objects, stays for good: it is not worth looking through again.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 5, 5)


def pytest_collection_modifyitems(items):
    """The folders whose files take longest come first: the last file of all is one worker's alone."""
    longest = ("conformance", "training", "serving", "distribution", "tools", "tests")
    items.sort(
        key=lambda item: longest.index(item.path.parent.name) if item.path.parent.name in longest else 9
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file stays with one worker, and all of `serving`, whose export and server are made once."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduler(LoadFileScheduling):
        def _split_scope(self, nodeid):
            path = super()._split_scope(nodeid)
            return "serving" if "tests/serving/" in f"/{path}" else path

    return Scheduler(config, log)


@pytest.fixture
def policy():
    """Sets a Keras dtype policy, such as "float64", for one test."""
    before = keras.mixed_precision.global_policy()
    yield keras.mixed_precision.set_global_policy
    keras.mixed_precision.set_global_policy(before)


@pytest.fixture
def eagerly():
    """Nothing is compiled, which takes longer than a few calls of a tiny network do."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def eager_processes(tmp_path_factory):
    """Python processes that are started from now on compile nothing."""
    folder = tmp_path_factory.mktemp("eager")
    code = "import tensorflow as tf\ntf.config.run_functions_eagerly(True)\n"
    (folder / "sitecustomize.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def mirrored():
    """Two replicas; one strategy for the process, since the collectives of two get into each other's way."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def serve():
    """A function that starts a server which sends one body for every path; returns its address."""
    servers = []

    def start(body, length=None, status=200):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                if length != "none":
                    self.send_header("Content-Length", str(length or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
