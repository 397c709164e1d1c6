"""Seeded weights of the Inception-v3 of 2015, in the layout of pytorch-fid's file."""

import numpy as np

from munit_tf.networks.fid_inception import CLASSES, FEATURES, kernel_shapes


def seeded_state():
    """{name in PyTorch: float32 array}; activations of all layers are of the order of 1."""
    random = np.random.RandomState(2015)
    state = {}
    for name, (height, width, c_in, c_out) in kernel_shapes().items():
        fan_in = height * width * c_in
        kernel = random.randn(c_out, c_in, height, width) * np.sqrt(2 / fan_in)
        state[f"{name}.conv.weight"] = kernel
        state[f"{name}.bn.weight"] = random.uniform(0.8, 1.2, c_out)
        state[f"{name}.bn.bias"] = random.randn(c_out) * 0.1
        state[f"{name}.bn.running_mean"] = random.randn(c_out) * 0.1
        state[f"{name}.bn.running_var"] = random.uniform(0.8, 1.2, c_out)
    state["fc.weight"] = random.randn(CLASSES, FEATURES) * 0.02
    state["fc.bias"] = random.randn(CLASSES)
    return {name: value.astype("float32") for name, value in state.items()}
