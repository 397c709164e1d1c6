"""Options of an evaluation."""

from __future__ import annotations

import dataclasses
import os
from typing import Optional

from munit_tf.config.options import PRETRAINED_NAMES, ModelConfig
from munit_tf.config.schema import option

METRICS = (
    "lpips",
    "l1",
    "fid",
    "kid",
    "precision_recall",
    "density_coverage",
    "inception_score",
    "is",
    "cis",
    "accuracy",
    "reconstruction",
    "cycle",
    "style",
    "shapes",
)


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(ModelConfig):
    """Evaluation."""

    compare: Optional[tuple[str, ...]] = option(
        None,
        "other run folders, RUN2,RUN3, to show in the same table; evaluated if they have no current results",
        path=True,
        names=PRETRAINED_NAMES,
        remote=True,
    )
    metrics: Optional[tuple[str, ...]] = option(
        None,
        "comma-separated metrics (default: all that the method and the data support)",
        choices=METRICS,
    )
    direction: str = option("both", "direction to evaluate", choices=("both", "a2b", "b2a"))
    dataset: Optional[str] = option(
        None, "name or folder of a data set to evaluate on (default: that of the run)"
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
        "outputs per input (default: 100 for is and cis, 10 for the others); lpips uses the number of its "
        "protocol",
        minimum=1,
        maximum=10_000,
        memory=True,
    )
    seed: int = option(0, "seed of the styles and the KID subsets", minimum=0, maximum=2**32 - 1)
    batch_size: int = option(
        8, "images per batch; smaller batches need less memory", minimum=1, maximum=65_536, memory=True
    )
    lpips_network: str = option("alexnet", "network of LPIPS", choices=("alexnet", "vgg16"))
    lpips_version: str = option(
        "0.0", "version of LPIPS; MUNIT and BicycleGAN report 0.0", choices=("0.0", "0.1")
    )
    lpips_protocol: str = option(
        "munit",
        "munit: 19 pairs of independent outputs per input; bicyclegan: consecutive pairs of 20 outputs; "
        "stargan2: all 45 pairs of 10 outputs",
        choices=("munit", "bicyclegan", "stargan2"),
    )
    features: Optional[str] = option(
        None,
        "features for fid, kid, precision_recall and density_coverage; published: of the Inception-v3 of "
        "2015, whose weights munit_tf.import_weights converts; keras: of Inception-v3 with the weights of "
        "Keras, not comparable with published figures; classifier: of --classifier (default: classifier if "
        "one is given, else published)",
        choices=("published", "keras", "classifier"),
    )
    fid_resize: str = option(
        "pytorch-fid",
        "how images get the size of the published network: bilinear as in pytorch-fid, or bicubic and "
        "antialiased as in clean-fid",
        choices=("pytorch-fid", "clean-fid"),
    )
    fid_reference: str = option(
        "test",
        "real images for FID and KID; StarGAN v2 uses train",
        choices=("test", "train"),
    )
    kid_subsets: int = option(100, "number of subsets for KID", minimum=1, maximum=1_000_000)
    kid_subset_size: int = option(
        1000,
        "images per subset; at most half of all images",
        minimum=2,
        maximum=1_000_000,
        memory=True,
    )
    classifier: Optional[str] = option(
        None,
        "folder of munit_tf.train_classifier, for is and cis; it can also give the --features",
        path=True,
    )
    domain_classifier: Optional[str] = option(
        None,
        "the same for accuracy, with classes a and b (default: --classifier, if it has these classes)",
        path=True,
    )
    weights_dir: str = option(
        os.path.join("~", ".keras", "models"),
        "folder with the files of munit_tf.import_weights, and for weights that Keras downloads",
        path=True,
    )
