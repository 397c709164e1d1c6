"""The whole suite: no accelerator, two logical CPU devices, one thread between operations."""

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


def pytest_collection_modifyitems(items):
    """The folders whose files take longest come first: the last file of all is one worker's alone."""
    longest = ("conformance", "training", "serving")
    items.sort(
        key=lambda item: longest.index(item.path.parent.name) if item.path.parent.name in longest else 9
    )


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
