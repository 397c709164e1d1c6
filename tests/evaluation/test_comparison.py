"""The table of a comparison, from numbers worked out by hand."""

from munit_tf.evaluation import comparison


def seed(iou, **metrics):
    shapes = {"content_iou": iou, **metrics.pop("shapes", {})}
    common = {"shapes": shapes, "accuracy": {"translations": 1.0}, "fid": {"value": 2.0}}
    return {"metrics": {**common, **metrics}, "seconds": 90, "cpu_seconds": 60}


def test_a_row_holds_means_and_standard_deviations_over_seeds():
    styled = dict(shapes={"hue_entropy": 1.5, "guided_hue_error": 0.02}, l1={"between_outputs": 0.25})
    results = {"m": {"0": seed(0.5, **styled), "1": seed(0.7, **styled)}}
    row = comparison.table(results, {"m": "Method"}).splitlines()[2]
    assert row == (
        "| Method | 0.60 ± 0.14 | 1.50 ± 0.00 | 0.020 ± 0.000 | 1.00 ± 0.00 | 2.0 ± 0.0 | 0.250 ± 0.000 | – "
        "| 1.5 | 1.0 | 2 |"
    )


def test_a_method_without_a_style_has_no_diversity():
    results = {"a": {"0": seed(0.5)}, "b": {"0": seed(0.25, reconstruction={"l1": 0.125})}}
    lines = comparison.table(results, {"b": "B", "a": "A"}).splitlines()
    assert lines[2] == "| B | 0.25 | 0.00 | – | 1.00 | 2.0 | 0.000 | 0.125 | 1.5 | 1.0 | 1 |"
    assert lines[3] == "| A | 0.50 | 0.00 | – | 1.00 | 2.0 | 0.000 | – | 1.5 | 1.0 | 1 |"
