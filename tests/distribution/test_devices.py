"""The devices of a run, on machines whose GPUs are only described."""

import pathlib

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import device_properties_pb2 as properties
from tensorflow.python.eager import context
from tensorflow.python.framework import config
from tensorflow.python.grappler import cluster, tf_optimizer

import munit_tf
from munit_tf.distribution import cuda, devices, half_precision


@pytest.fixture
def have_gpus(monkeypatch):
    """A function that makes TensorFlow list GPUs of these compute capabilities; returns what is set for them.

    Options of TensorFlow that it sets are reset after the test.
    """
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()

    def have(*capabilities):
        gpus = [
            tf.config.PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(len(capabilities))
        ]
        growth = {}
        for name in ("get_visible_devices", "list_physical_devices"):
            monkeypatch.setattr(tf.config, name, lambda kind=None: gpus if kind == "GPU" else [])
        monkeypatch.setattr(
            tf.config.experimental,
            "get_device_details",
            lambda gpu: {"compute_capability": capabilities[gpus.index(gpu)]},
        )
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", growth.__setitem__)
        monkeypatch.setattr(context.context(), "_optimizer_experimental_options", {})
        return [growth, gpus]

    yield have
    config.disable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(tf32)


def transposes_on_gpu(architecture):
    """How many transposes Grappler adds to float32 convolutions and their gradients on a GPU."""
    place = "/job:localhost/replica:0/task:0/device:"
    graph = tf.Graph()
    with graph.as_default(), tf.device(f"{place}GPU:0"):
        x = tf.random.normal([1, 32, 32, 16])
        kernels = [tf.random.normal([3, 3, 16, 16]) for _ in range(4)]
        y = x
        for kernel in kernels:
            y = tf.nn.relu(tf.nn.conv2d(y, kernel, 1, "SAME"))
        for result in tf.gradients(tf.reduce_sum(y**2), [x, *kernels]):
            graph.add_to_collection("train_op", result)
        meta_graph = tf.compat.v1.train.export_meta_graph(graph=graph)
    named = [
        properties.NamedDevice(name=f"{place}CPU:0", properties=properties.DeviceProperties(type="CPU")),
        properties.NamedDevice(
            name=f"{place}GPU:0",
            properties=properties.DeviceProperties(type="GPU", environment={"architecture": architecture}),
        ),
    ]
    optimized = tf_optimizer.OptimizeGraph(
        context.context().config, meta_graph, verbose=False, cluster=cluster.Cluster(devices=named)
    )
    assert sum("Conv2D" in node.op for node in optimized.node) == 12
    return sum(node.op == "Transpose" for node in optimized.node)


def test_convolutions_in_tf32_stay_in_the_layout_of_tensor_cores(have_gpus):
    have_gpus((9, 0), (8, 0))
    before = transposes_on_gpu("9.0")
    devices.set_up()
    assert (before > 0, transposes_on_gpu("9.0")) == (True, 0)


@pytest.mark.parametrize(("capabilities", "tf32"), [([(9, 0)], False), ([(9, 0), (7, 5)], True)])
def test_other_float32_convolutions_are_in_grapplers_layout(have_gpus, capabilities, tf32):
    """TensorFlow computes them in NCHW, and would transpose before and after each one."""
    have_gpus(*capabilities)
    devices.set_up(tf32)
    assert tf.config.experimental.tensor_float_32_execution_enabled() == tf32
    assert transposes_on_gpu("7.5") > 0


def test_every_gpu_leaves_memory_for_other_processes(have_gpus):
    growth, gpus = have_gpus((9, 0), (9, 0), (9, 0))
    devices.set_up()
    assert growth == dict.fromkeys(gpus, True) and len(gpus) == 3


@pytest.mark.parametrize("deterministic", [False, True])
def test_gpus_repeat_their_results_only_if_asked_to(have_gpus, deterministic):
    """TensorFlow's deterministic kernels are slower."""
    have_gpus((9, 0))
    devices.set_up(deterministic=deterministic)
    assert config.is_op_determinism_enabled() == deterministic


def test_on_cpus_nothing_of_a_gpu_is_set(have_gpus):
    growth, _ = have_gpus()
    devices.set_up(tf32=False, deterministic=True)
    assert not config.is_op_determinism_enabled()
    assert growth == {} and tf.config.experimental.tensor_float_32_execution_enabled()
    assert context.context()._optimizer_experimental_options == {"disable_meta_optimizer": True}


def test_commands_set_up_tensorflow_or_hide_gpus():
    without_networks = {"import_weights", "serving_client"}
    for path in pathlib.Path(munit_tf.__file__).parent.glob("*.py"):
        text = path.read_text()
        if "def main(" in text and path.stem not in without_networks:
            calls = ("devices.set_up(", "devices.set_up_gpus(", 'set_visible_devices([], "GPU")')
            assert any(call in text for call in calls), path


@pytest.mark.parametrize(("capability", "said"), [((9, 0), False), ((12, 1), True)])
def test_the_first_start_on_a_new_gpu_is_announced(have_gpus, monkeypatch, capsys, capability, said):
    have_gpus(capability)
    build = {"cuda_compute_capabilities": ["sm_80", "compute_90"]}
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: build)
    devices.set_up()
    err = capsys.readouterr().err
    assert ("30 minutes" in err) == said and err.count("\n") == said


@pytest.mark.parametrize(
    ("strategy", "batch_size", "available", "used"),
    [
        ("auto", 1, 8, 1),
        ("auto", 2, 8, 2),
        ("auto", 6, 4, 3),
        ("auto", 8, 8, 8),
        ("auto", 16, 8, 8),
        ("auto", 7, 4, 1),
        ("auto", 4, 0, 0),
        ("none", 8, 8, 1),
        ("none", 8, 0, 0),
        ("mirrored", 1, 8, 8),
    ],
)
def test_auto_uses_as_many_gpus_as_the_batch_can_be_divided_among(strategy, batch_size, available, used):
    assert devices.gpus_used(strategy, batch_size, available) == used


def test_a_batch_of_one_trains_on_a_machine_with_several_gpus(have_gpus, monkeypatch):
    have_gpus(*[(8, 0)] * 4)
    mirrored = []

    class Mirrored:
        def __init__(self, names):
            mirrored.extend(names)
            self.num_replicas_in_sync = len(names)

    monkeypatch.setattr(tf.distribute, "MirroredStrategy", Mirrored)
    assert devices.make_strategy("auto", 1).num_replicas_in_sync == 1
    assert mirrored == []
    assert devices.make_strategy("auto", 6).num_replicas_in_sync == 3
    assert mirrored == ["GPU:0", "GPU:1", "GPU:2"]


@pytest.mark.parametrize(
    ("capabilities", "strategy", "batch_size", "text"),
    [
        ([(7, 5)], "auto", 1, "1 GPU"),
        ([(7, 5)] * 4, "auto", 1, "1 of 4 GPUs; --batch_size=1 cannot be divided among more"),
        ([(7, 5)] * 4, "auto", 6, "3 of 4 GPUs; --batch_size=6 cannot be divided among more"),
        ([(7, 5)] * 4, "auto", 8, "4 GPUs"),
        ([(7, 5)] * 4, "none", 8, "1 of 4 GPUs"),
        ([(9, 0)], "auto", 1, "1 GPU, float32 in TF32 (--tf32=false: in full)"),
        (
            [(8, 0)] * 2,
            "auto",
            3,
            "1 of 2 GPUs, float32 in TF32 (--tf32=false: in full); "
            "--batch_size=3 cannot be divided among more",
        ),
    ],
)
def test_gpus_in_words(have_gpus, capabilities, strategy, batch_size, text):
    have_gpus(*capabilities)
    assert devices.describe(strategy, batch_size) == text
    devices.set_up(tf32=False)
    assert "TF32" not in devices.describe(strategy, batch_size)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("", "the CPU: TensorFlow finds no GPU"),
        ("libx cannot be loaded", "the CPU: TensorFlow finds no GPU, since libx cannot be loaded"),
    ],
)
def test_the_cpu_in_words(have_gpus, monkeypatch, reason, text):
    have_gpus()
    monkeypatch.setattr(cuda, "why_no_gpu", lambda: reason)
    assert devices.describe("auto", 1) == text


def test_half_precision_is_slow_only_on_cpus(have_gpus, monkeypatch):
    monkeypatch.setattr(half_precision, "read_cpu_flags", lambda: {"avx512f"})
    have_gpus()
    assert "--precision=bfloat16" in devices.precision_note("bfloat16")
    have_gpus((8, 0))
    assert devices.precision_note("bfloat16") is None
