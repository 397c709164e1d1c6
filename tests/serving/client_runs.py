"""The serving client, run in this process."""

import json

from munit_tf import serving_client


def run(capsys, *flags):
    """(exit status, standard output, the last line of standard error that is not the progress bar's)."""
    status = serving_client.main([*map(str, flags)])
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "picture/s" not in line and "?picture" not in line]
    return status, out, "\n".join(lines).strip()


def refused(capsys, *flags):
    """The one line that a run ends with."""
    status, out, err = run(capsys, *flags)
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("munit_tf.serving_client: ") and len(line) < 900, err
    return line


def metadata(signature, key):
    """REST's answer for a model of one signature of one input of shape [N]."""
    inputs = {key: {"tensor_shape": {"dim": [{"size": "-1"}]}}}
    return json.dumps(
        {"metadata": {"signature_def": {"signature_def": {signature: {"inputs": inputs}}}}}
    ).encode()
