"""Names of our own for the variables of a model, the same on every Keras."""

import keras

from munit_tf import compat


def named_variables(node, prefix=""):
    """{name: tf.Variable} of all variables of a layer, or of a dict or list of layers.

    A name is the path of attributes, keys and indices that leads to the variable, such as
    `a/content_encoder/convs/0/conv/kernel`. Attributes that begin with an underscore are left out.
    """
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, (list, tuple)):
        children = enumerate(node)
    elif isinstance(node, keras.layers.Layer):
        children = [(name, value) for name, value in vars(node).items() if not name.startswith("_")]
    elif compat.is_variable(node):
        return {prefix: compat.tf_variable(node)}
    else:
        return {}
    named = {}
    for name, child in children:
        named.update(named_variables(child, f"{prefix}/{name}" if prefix else str(name)))
    return named
