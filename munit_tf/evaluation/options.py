"""Options of an evaluation."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Optional

from munit_tf.config.options import PRETRAINED_NAMES, ModelConfig
from munit_tf.config.schema import option
from munit_tf.errors import InputError

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
    "target_lpips",
    "target_l1",
    "shapes",
)


# Metrics in the features of `--features`.
WITH_FEATURES = frozenset({"fid", "kid", "precision_recall", "density_coverage"})
# More than any data set has.
ALL_INPUTS = 1_000_000_000
PROTOCOL_SIZE = (256, 256)  # Of all publications, in pixels.
# {name: flags with the values of the publication}.
PUBLICATIONS: dict[str, dict[str, Any]] = {
    "munit": dict(num_inputs=100, lpips_protocol="munit", lpips_network="alexnet", lpips_version="0.0"),
    "bicyclegan": dict(
        num_inputs=100, lpips_protocol="bicyclegan", lpips_network="alexnet", lpips_version="0.0"
    ),
    "stargan2": dict(
        num_inputs=ALL_INPUTS,
        num_outputs=10,
        lpips_protocol="stargan2",
        lpips_network="alexnet",
        lpips_version="0.1",
        features="published",
        fid_reference="train",
    ),
    "cut": dict(
        num_inputs=ALL_INPUTS,
        num_outputs=1,
        features="published",
        fid_resize="pytorch-fid",
        fid_reference="test",
    ),
}
_WITHOUT_PROTOCOL = dict(
    num_inputs=100,
    lpips_network="alexnet",
    lpips_version="0.0",
    lpips_protocol="munit",
    fid_resize="pytorch-fid",
    fid_reference="test",
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
    protocol: Optional[str] = option(
        None,
        "sets the flags below as in a publication; docs/evaluation.md has the values",
        choices=tuple(PUBLICATIONS),
    )
    num_inputs: int = option(
        None,
        "test images to translate, or all if there are fewer (default: 100)",
        minimum=1,
        maximum=ALL_INPUTS,
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
    lpips_network: str = option(None, "network of LPIPS (default: alexnet)", choices=("alexnet", "vgg16"))
    lpips_version: str = option(
        None, "version of LPIPS; MUNIT and BicycleGAN report 0.0, the default", choices=("0.0", "0.1")
    )
    lpips_protocol: str = option(
        None,
        "munit: 19 pairs of independent outputs per input; bicyclegan: consecutive pairs of 20 outputs; "
        "stargan2: all 45 pairs of 10 outputs (default: munit)",
        choices=("munit", "bicyclegan", "stargan2"),
    )
    features: str = option(
        None,
        "features for fid, kid, precision_recall and density_coverage; published: of the Inception-v3 of "
        "2015, whose weights munit_tf.import_weights converts; keras: of Inception-v3 with the weights of "
        "Keras, not comparable with published figures; classifier: of --classifier (default: classifier if "
        "one is given, else published)",
        choices=("published", "keras", "classifier"),
    )
    fid_resize: str = option(
        None,
        "how images get the size of the published network: bilinear as in pytorch-fid, or bicubic and "
        "antialiased as in clean-fid (default: pytorch-fid)",
        choices=("pytorch-fid", "clean-fid"),
    )
    fid_reference: str = option(
        None,
        "real images for all metrics that use --features; StarGAN v2 uses train (default: test)",
        choices=("test", "train"),
    )
    kid_subsets: int = option(100, "number of subsets for KID", minimum=1, maximum=1_000_000)
    kid_subset_size: int = option(
        1000,
        "images per subset; at most half of the smaller set",
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
    report: bool = option(
        False,
        "also write RUN/report/report.html, a page with the measures, the curves of the training, and "
        "pictures; and the same as report.md",
    )
    cache_dir: str = option(
        os.path.join("~", ".cache", "munit_tf"),
        "folder that keeps features of real images for later evaluations",
        path=True,
    )
    cache: bool = option(True, "keep features of real images in --cache_dir, and use those that are there")

    def __post_init__(self) -> None:  # noqa: D105
        super().__post_init__()
        if self.features == "classifier" and not self.classifier:
            raise InputError("--features=classifier needs --classifier=FOLDER")
        published = PUBLICATIONS.get(self.protocol or "", {})
        for name, value in {**_WITHOUT_PROTOCOL, **published}.items():
            given = getattr(self, name)
            if given is None:
                object.__setattr__(self, name, value)
            elif given != published.get(name, given):
                raise InputError(
                    f"--{name}={given}: --protocol={self.protocol} has {published[name]}: omit one of them"
                )
        if self.features is None:
            object.__setattr__(self, "features", "classifier" if self.classifier else "published")
