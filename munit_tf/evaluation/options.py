"""What an evaluation is told."""

from __future__ import annotations

import dataclasses
import os
from typing import Optional

from munit_tf.config.schema import Config, option

METRICS = (
    "lpips",
    "l1",
    "fid",
    "kid",
    "is",
    "cis",
    "accuracy",
    "reconstruction",
    "cycle",
    "style",
    "shapes",
)


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(Config):
    """Evaluation."""

    run: Optional[str] = option(None, "run folder to evaluate", path=True, remote=True, required=True)
    compare: Optional[tuple[str, ...]] = option(
        None,
        "other run folders, RUN2,RUN3: evaluated alike where they are not yet, and put beside it",
        path=True,
        remote=True,
    )
    metrics: Optional[tuple[str, ...]] = option(
        None,
        "which, with commas between (default: all that the method and the data have)",
        choices=METRICS,
    )
    direction: str = option("both", "which way", choices=("both", "a2b", "b2a"))
    dataset: Optional[str] = option(
        None, "name or folder of a data set to evaluate on instead of the run's own"
    )
    num_inputs: int = option(
        100,
        "test images to translate, or all if there are fewer",
        minimum=1,
        maximum=1_000_000_000,
        memory=True,
    )
    num_outputs: Optional[int] = option(
        None,
        "outputs of each input for is, cis, fid, kid, accuracy (default: 100 for is and cis, 10 for the "
        "others); lpips has its protocol's",
        minimum=1,
        maximum=10_000,
        memory=True,
    )
    seed: int = option(0, "of the styles and of KID's subsets", minimum=0, maximum=2**32 - 1)
    batch_size: int = option(
        8, "images at once: less needs less memory", minimum=1, maximum=65_536, memory=True
    )
    lpips_network: str = option("alexnet", "that LPIPS looks through", choices=("alexnet", "vgg16"))
    lpips_version: str = option(
        "0.0", "of LPIPS; the figures of MUNIT and BicycleGAN are 0.0's", choices=("0.0", "0.1")
    )
    lpips_protocol: str = option(
        "munit",
        "munit: 19 pairs of independent outputs of each input; bicyclegan: 20 outputs, consecutive ones; "
        "stargan2: 10 outputs, all 45 pairs",
        choices=("munit", "bicyclegan", "stargan2"),
    )
    fid_reference: str = option(
        "test",
        "real images that FID and KID compare with; StarGAN v2's way is train",
        choices=("test", "train"),
    )
    kid_subsets: int = option(100, "how many subsets KID is averaged over", minimum=1, maximum=1_000_000)
    kid_subset_size: int = option(
        1000, "images in one, or half of those there are", minimum=2, maximum=1_000_000, memory=True
    )
    classifier: Optional[str] = option(
        None,
        "folder of munit_tf.train_classifier: for is and cis, and its features for fid and kid (default for "
        "these: Inception-v3 with Keras' ImageNet weights)",
        path=True,
    )
    domain_classifier: Optional[str] = option(
        None,
        "the same for accuracy, with classes a and b (default: --classifier, if it has these)",
        path=True,
    )
    weights_dir: str = option(
        os.path.join("~", ".keras", "models"),
        "folder of munit_tf.import_weights's files and of Keras' own, which are downloaded to it",
        path=True,
    )
