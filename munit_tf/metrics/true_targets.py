"""Distances of outputs from the true image of each input, for paired data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from munit_tf.metrics.sampling import Block


class DistanceToTarget:
    """Collects the distances of outputs from their inputs' true images; does not keep the images.

    Args:
        distance: function of images x and y, each [N,H,W,3] -> [N].
        load_targets: function of a list of indices of inputs -> their true images [N,H,W,3].
        num_outputs: number of outputs per input to use; further ones are ignored.
    """

    def __init__(
        self,
        distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
        load_targets: Callable[[Sequence[int]], np.ndarray],
        num_outputs: int,
    ) -> None:
        self.num_outputs = num_outputs
        self._distance = distance
        self._load_targets = load_targets
        self._distances: list[np.ndarray] = []

    def add(self, block: Block) -> None:
        """Measures the outputs of a block; the outputs of an input must be consecutive and in order."""
        selected = block.output_indices < self.num_outputs
        if not selected.any():
            return
        distinct, where = np.unique(block.input_indices[selected], return_inverse=True)
        targets = self._load_targets(distinct.tolist())[where]
        self._distances.append(np.asarray(self._distance(block.outputs[selected], targets)))

    def result(self) -> dict[str, float]:
        """The mean over all outputs, and over the best output of each input.

        The best of many outputs is near the true image if the outputs cover what is possible, although each
        may differ from it (Zhu et al., "Toward Multimodal Image-to-Image Translation", NeurIPS 2017).
        """
        distances = np.concatenate(self._distances).astype(np.float64).reshape(-1, self.num_outputs)
        return {
            "mean": float(distances.mean()),
            "best": float(distances.min(axis=1).mean()),
            "inputs": len(distances),
            "outputs_per_input": self.num_outputs,
        }
