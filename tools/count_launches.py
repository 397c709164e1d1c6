"""Counts the operations of a training step that launch a kernel on a GPU."""

from __future__ import annotations

import collections
import dataclasses
import os
import sys
from unittest import mock

# Shows only fatal messages of TensorFlow; must be set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf.device_properties_pb2 import DeviceProperties, NamedDevice
from tensorflow.python.grappler import cluster, tf_optimizer

from munit_tf.cli.command_line import run_training_command
from munit_tf.config.options import Options
from munit_tf.config.schema import Config, option
from munit_tf.networks import graph_target
from munit_tf.runs import loading

USAGE = """\
Counts the operations of a training step that launch a kernel on a GPU. No GPU is needed: the step is
traced as for one, and TensorFlow's graph optimizer is told that the machine has one.

  python tools/count_launches.py --image_size=256 --cycle_weight=10

All other flags are those of munit_tf.train. Operations that launch nothing, such as reshaping, and those in
the branches of conditions (lazy R1), are not counted. With --tf32, the layout optimizer is off, as in
training."""

_GPU = "/job:localhost/replica:0/task:0/device:GPU:0"
# They launch no kernel, or it depends on their branch.
_FREE = frozenset(
    ("Const", "Identity", "IdentityN", "NoOp", "Placeholder", "ReadVariableOp", "If", "StatelessIf")
    + ("Reshape", "ExpandDims", "Squeeze", "StopGradient", "PreventGradient", "InvertPermutation")
    + ("Shape", "ShapeN", "Size", "Rank", "BroadcastGradientArgs", "ConcatOffset")
)


@dataclasses.dataclass(frozen=True)
class LaunchesConfig(Config):
    """Launches."""

    top: int = option(20, "operations to list", minimum=0, maximum=1_000)


def main(argv: list[str]) -> int:
    """Runs the tool; returns its exit status."""
    from munit_tf.data import registry
    from munit_tf.runs.run_folder import CONFIGS

    return run_training_command(
        "count_launches", USAGE, LaunchesConfig, report, argv, CONFIGS, registry.descriptions()
    )


def report(config: LaunchesConfig, options: Options) -> None:
    """Prints the number of launches of a step, and of its most frequent operations."""
    counts = launches(options)
    print(f"launches: {sum(counts.values()):,}")
    for name, count in counts.most_common(config.top):
        print(f"{count:6,}  {name}")


def launches(options: Options) -> collections.Counter[str]:
    """{operation: how often a step launches it on a GPU}."""
    with mock.patch.object(graph_target, "is_for_cpu", lambda: False):
        model = loading.build_model(options)
        loading.compile_model(model, options)
        height, width = options.data.image_size
        shapes = {"a": (height, width, 3), "b": (height, width, 3), **model.noise_shapes(height, width)}
        batch = {name: tf.TensorSpec([options.train.batch_size, *shape]) for name, shape in shapes.items()}
        step = tf.function(model.train_step, autograph=False).get_concrete_function(batch)
    optimized = _optimize(step.graph, layout=not options.train.tf32)
    return collections.Counter(node.op for node in optimized.node if node.op not in _FREE)


def _optimize(graph: tf.Graph, layout: bool) -> tf.compat.v1.GraphDef:
    """The graph after Grappler, for a machine with a GPU of architecture 9.0."""
    definition = graph.as_graph_def(add_shapes=True)
    for node in definition.node:
        node.device = _GPU
    with tf.Graph().as_default() as placed:
        tf.import_graph_def(definition, name="")
        meta_graph = tf.compat.v1.train.export_meta_graph(graph=placed)
    kept = {tensor.op.name for tensor in graph.outputs} | {each.name for each in graph.control_outputs}
    meta_graph.collection_def["train_op"].node_list.value.extend(sorted(kept))
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.min_graph_nodes = -1
    rewriting.layout_optimizer = rewriting.ON if layout else rewriting.OFF
    gpu = DeviceProperties(
        type="GPU", num_cores=132, frequency=1700, memory_size=80 << 30, environment={"architecture": "9.0"}
    )
    machine = cluster.Cluster(devices=[NamedDevice(name=_GPU, properties=gpu)])
    return tf_optimizer.OptimizeGraph(config, meta_graph, cluster=machine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
