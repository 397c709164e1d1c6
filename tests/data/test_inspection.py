"""Defects planted among photos are found, each by its own name, and nothing else is."""

import collections
import json

import numpy as np
import pytest
from data.corrupt_images import COPIES, EXPECTED, make_photos, photo, plant, relative
from PIL import Image

from munit_tf.config.options import DataConfig
from munit_tf.data import registry
from munit_tf.data.inspection import duplicates, findings, images, preflight, report, scan
from munit_tf.data.sources import ImageFiles
from munit_tf.errors import InputError

SIZE = dict(resize=64, image_size=(64, 64))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """(the folder, its Inspection, COPIES with names)."""
    folder = make_photos(tmp_path_factory.mktemp("photos"))
    filled = plant(folder, 64)
    return folder, scan.inspect(DataConfig(dataset=str(folder), **SIZE)), filled


def found(inspection, folder):
    """({file: set of kinds}, set of copies), of findings about files."""
    singles, several = collections.defaultdict(set), set()
    for finding in inspection.findings:
        names = tuple(sorted(relative(file, folder) for file in finding.files))
        if len(names) == 1:
            singles[names[0]].add(finding.kind)
        elif names:
            several.add((finding.kind, finding.detail, names))
    return dict(singles), several


def test_every_planted_defect_is_found_and_no_other(planted):
    folder, inspection, filled = planted
    singles, several = found(inspection, folder)
    assert singles == EXPECTED
    assert several == filled and len(filled) == len(COPIES) == 6
    domains = [(finding.kind, finding.detail) for finding in inspection.findings if not finding.files]
    assert domains == [("few", "trainA: 33"), ("few", "trainB: 13")]
    assert inspection.counts == {"trainA": 33, "trainB": 13, "testA": 13, "testB": 13}


def test_headers_alone_show_what_they_can(planted):
    folder, inspection, _ = planted
    singles, several = found(scan.inspect(DataConfig(dataset=str(folder), **SIZE), decode=False), folder)
    blind = {"truncated", "damaged", "unsupported", "constant", "gray"}
    expected = {file: some - blind for file, some in EXPECTED.items() if some - blind}
    assert singles == expected and not several


def test_the_report_names_examples_and_remedies(planted, monkeypatch):
    folder, inspection, _ = planted
    monkeypatch.chdir(folder.parent)
    lines = report.as_text(inspection, "error").splitlines()
    assert lines[1].split()[:6] == ["trainA", "33", "1", "to", "256", "(64)"]
    fatal, advice = lines.index("FATAL: training stops at these, or fails to learn"), lines.index("ADVICE")
    empty = lines.index("  1 empty: fetch them again or remove them")
    assert lines[empty + 1] == f"      {folder.name}/trainA/empty.jpg"
    cut = lines.index("  1 truncated: fetch them again or remove them")
    assert lines[cut + 1].startswith(
        f"      {folder.name}/trainA/cut.jpg (cannot be decoded (image file is trunc"
    )
    assert fatal < empty < advice
    leak = next(i for i, line in enumerate(lines) if "in both training and test: remove one of" in line)
    assert lines[leak].startswith("  4 ") and leak > advice
    assert "trainA/003.jpg = " in lines[leak + 1] and "testA/leak.jpg (the same bytes)" in lines[leak + 1]
    assert lines[-1] == "8 fatal, 20 advice"
    skipped = report.as_text(inspection, "skip").splitlines()
    assert skipped[-1] == "2 fatal, 26 advice"
    assert report.fatal_count(inspection, "skip") == 2  # Too thin, and of one color.


def test_the_whole_list_is_json(planted):
    folder, inspection, _ = planted
    found = json.loads(json.dumps(report.as_json(inspection, "error")))
    assert found["images"] == {"trainA": 33, "trainB": 13, "testA": 13, "testB": 13}
    assert found["sizes"]["trainB"] == [{"height": 64, "width": 80, "images": 13}]
    assert {
        "kind": "misnamed",
        "fatal": False,
        "files": [str(folder / "trainA" / "renamed.jpg")],
        "detail": "contains PNG",
    } in found["findings"]
    assert len(found["findings"]) == 28


def test_every_kind_of_finding_is_planted_somewhere():
    """`missing`, `too_small`, `colored` and those of whole domains have tests of their own below."""
    planted = set().union(*EXPECTED.values()) | {kind for kind, _, _ in COPIES}
    assert set(findings.KINDS) - planted == {
        "missing",
        "too_small",
        "colored",
        "few",
        "unbalanced",
        "no_test",
    }


def kinds_of(path, decode=True, **options):
    seen = images.look(
        ImageFiles([str(path)]), 0, "trainA", DataConfig(dataset="x", **{**SIZE, **options}), decode
    )
    return [(finding.kind, finding.detail) for finding in seen.findings]


def test_missing_and_too_small(tmp_path):
    path = tmp_path / "a.png"
    assert kinds_of(path) == [("missing", "cannot read it: No such file or directory")]
    photo(np.random.default_rng(0), 50, 60).save(path)
    assert kinds_of(path, image_size=(64, 80)) == [("too_small", "50x60, 64x76 after --resize=64")]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((64, 192), []), ((64, 193), ["elongated"]), ((63, 80), ["enlarged"]), ((255, 400), [])],
)
def test_limits_of_size(tmp_path, shape, expected):
    photo(np.random.default_rng(0), *shape).save(tmp_path / "a.png")
    assert [kind for kind, _ in kinds_of(tmp_path / "a.png")] == expected


@pytest.mark.parametrize(("span", "constant"), [(0, True), (2, True), (3, False)])
def test_limits_of_one_color(tmp_path, span, constant):
    pixels = np.full((64, 64, 3), (10, 200, 30), np.uint8)
    pixels[5, 5, 1] += span
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert ("constant", "") in kinds_of(tmp_path / "a.png") or not constant
    assert bool(kinds_of(tmp_path / "a.png")) == constant


def test_colored_ones_among_gray(tmp_path):
    folder = make_photos(tmp_path / "photos", count=3)
    for path in sorted((folder / "trainB").iterdir())[1:]:
        Image.open(path).convert("L").save(path)
    for path in (folder / "testB").iterdir():
        Image.open(path).convert("L").convert("RGB").save(path)
    inspection = scan.inspect(DataConfig(dataset=str(folder), **SIZE))
    assert found(inspection, folder) == ({"trainB/000.jpg": {"colored"}}, set())


def test_numbers_of_images():
    def numbers(a, b, has_test=True):
        return [(f.kind, f.detail) for f in scan.of_counts({"trainA": a, "trainB": b}, has_test)]

    assert numbers(100, 999) == []
    assert numbers(100, 1000) == [("unbalanced", "trainB: 1000, trainA: 100")]
    assert numbers(100, 99, has_test=False) == [("no_test", ""), ("few", "trainB: 99")]


def test_drawn_images_have_no_files(capsys):
    inspection = scan.inspect(DataConfig(dataset="shapes", resize=32, image_size=(32, 32)))
    assert inspection.findings == [] and inspection.looks == []
    text = report.as_text(inspection, "error").splitlines()
    assert text[1] == "trainA        2000   no files: drawn on demand"
    assert text[-1] == "nothing found"


def test_photos_whose_edges_are_the_other_domain_are_looked_at_once(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(3):
        photo(rng, 64, 80).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_text("text")
    (tmp_path / "notes.txt").touch()
    data_options = DataConfig(dataset=str(tmp_path), edges=True, **SIZE)
    inspection = scan.inspect(data_options)
    assert inspection.counts == {"trainA": 4, "trainB": 4}
    assert found(inspection, tmp_path) == ({"broken.png": {"no_image"}, "notes.txt": {"passed_over"}}, set())
    assert {look.place for look in inspection.looks} == {"trainB"} and len(inspection.looks) == 4
    text = report.as_text(inspection, "error").splitlines()
    assert text[1] == "trainA           4   no files: drawn on demand"
    with pytest.raises(
        InputError, match=r"broken\.png is not an image.* concerns 1 of 4 images whose headers"
    ):
        check(tmp_path, edges=True)
    assert check(tmp_path, edges=True, unreadable="skip")[0].startswith(
        "advice: few images (trainA: 4; trainB"
    )


def test_halves_of_a_pair_are_no_copies_of_each_other(tmp_path):
    rng = np.random.default_rng(0)
    pair = Image.new("RGB", (128, 64))
    pair.paste(photo(rng, 64, 64), (0, 0))
    pair.paste(photo(rng, 64, 64), (64, 0))
    for name in ("a.png", "b.png"):
        pair.save(tmp_path / name)
    options = DataConfig(dataset="x", **SIZE)
    paths = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    sides = {"trainA": ImageFiles(paths[:1], half="left"), "trainB": ImageFiles(paths[:1], half="right")}
    looks = [images.look(source, 0, place, options, True) for place, source in sides.items()]
    assert duplicates.find(looks) == [] and not looks[0].findings + looks[1].findings
    looks.append(images.look(ImageFiles(paths[1:], half="left"), 0, "testA", options, True))
    assert [(f.kind, f.files) for f in duplicates.find(looks)] == [
        ("train_and_test", (f"{paths[0]} (left half)", f"{paths[1]} (left half)"))
    ]


def test_a_film_is_one_group_however_long(monkeypatch):
    """Also where its frames are compared in pieces."""
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, (2, 8, 8, 3))
    frames = [np.uint8(scenes[i // 10] + rng.integers(0, 3, (8, 8, 3))) for i in range(20)]
    places = ["trainA"] * 15 + ["testA"] * 5
    looks = [
        images.Look(place, str(i), [], thumbnail=frame)
        for i, (place, frame) in enumerate(zip(places, frames))
    ]
    expected = [
        ("repeated", tuple(map(str, range(10)))),
        ("train_and_test", tuple(map(str, range(10, 20)))),
    ]
    for rows in (1000, 7):
        monkeypatch.setattr(duplicates, "_ROWS", rows)
        assert [(finding.kind, finding.files) for finding in duplicates.find(looks)] == expected


def check(folder, **options):
    data_options = DataConfig(dataset=str(folder), **{**SIZE, **options})
    return preflight.check(registry.open_dataset(data_options).train, data_options)


def test_at_the_start_of_training_a_few_lines(tmp_path, monkeypatch):
    folder = make_photos(tmp_path / "photos", count=4)
    monkeypatch.setattr(scan, "FEWEST", 4)
    assert check(folder) == []
    photo(np.random.default_rng(1), 20, 20).save(folder / "trainB" / "small.png")
    small, pointer = check(folder)
    assert small.startswith("advice: 1 of 9 images are smaller than --resize (")
    assert "small.png): remove them or lower --resize" in small
    assert pointer == "advice: python -m munit_tf.doctor with the flags of this training checks all"
    monkeypatch.setattr(preflight, "SAMPLE", 2)
    (folder / "trainB" / "small.png").rename(folder / "trainB" / "0.png")
    assert check(folder)[0].startswith("advice: 1 of 4 images are smaller")
    assert "the headers of 4 of 9 images were checked; python" in check(folder)[1]
    monkeypatch.setattr(preflight, "_SECONDS", 0)
    assert check(folder) == []


def test_at_the_start_of_training_what_would_stop_it(tmp_path):
    folder = make_photos(tmp_path / "photos", count=3)
    (folder / "trainA" / "x.jpg").write_text("text")
    (folder / "trainB" / "y.jpg").write_text("text")
    with pytest.raises(
        InputError,
        match=r"trainA/x\.jpg is not an image, or of .*; this concerns 2 of 8 images whose headers",
    ) as error:
        check(folder)
    assert "\n" not in str(error.value)
    assert check(folder, unreadable="skip")[0].startswith("advice: few images (trainA: 4; trainB: 4)")
    photo(np.random.default_rng(1), 60, 60).save(folder / "trainA" / "z.png")
    with pytest.raises(InputError, match=r"z\.png is too small for --image_size \(60x60, 64x64 after"):
        check(folder, unreadable="skip", image_size=(64, 66))


def test_drawn_images_have_no_advice():
    data_options = DataConfig(dataset="shapes", resize=32, image_size=(32, 32))
    assert preflight.check(registry.open_dataset(data_options).train, data_options) == []
