"""Whatever a client sends to the exported signature is answered by a picture or one error."""

import itertools
import os

import numpy as np
from data.fuzzing import bounded_memory, fuzzed
from serving.requests_to_server import encoded, picture
from serving.session import Refused

COUNT = int(os.environ.get("MUNIT_TF_FUZZED_FILES", 60))


def test_fuzzed_files(session, model):
    style = np.zeros([1, model.style_dim], np.float32)
    answers = {"picture": 0, "error": 0}
    with bounded_memory(f"twice {COUNT} files"):
        for name, data in itertools.chain(fuzzed(COUNT), fuzzed(COUNT, seed=1, suffixes=("jpg", "png"))):
            try:
                inputs = {"image_bytes": np.array([data], object), "style": style}
                output = session.run("serving_default", inputs)["translated_bytes"][0]
                assert output.startswith(b"\x89PNG"), name
                answers["picture"] += 1
            except Refused as error:
                assert error.args[0] == "INVALID_ARGUMENT", name
                answers["error"] += 1
    print(answers)
    assert answers["picture"] and answers["error"]
    good = {"image_bytes": np.array([encoded(picture(16, 16))], object), "style": style}
    assert len(session.run("serving_default", good)["translated_bytes"]) == 1
