"""The table for people."""

from munit_tf.evaluation.table import table


def test_runs_and_directions_are_columns_and_what_nobody_has_is_no_row():
    results = {
        "first": {
            "directions": {
                "a2b": {"metrics": {"fid": {"value": 12.34567, "untranslated": 50.0}}},
                "b2a": {"metrics": {}},
            }
        },
        "a-second-run": {"directions": {"a2b": {"metrics": {"cycle": {"l1": 0.5, "psnr": "inf"}}}}},
    }
    lines = table(results).splitlines()
    assert [line.split() for line in lines] == [
        ["first", "first", "a-second-run"],
        ["a2b", "b2a", "a2b"],
        ["FID", "12.35", "-", "-"],
        ["FID", "of", "untranslated", "inputs", "50", "-", "-"],
        ["cycle", "L1", "-", "-", "0.5"],
        ["cycle", "PSNR,", "dB", "-", "-", "inf"],
    ]
    assert len({len(line) for line in lines}) == 1
