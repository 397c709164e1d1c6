"""What a step shows must follow from (seed, step) alone; the literals pin how."""

import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from munit_tf.config.options import check_sizes
from munit_tf.data import pipeline
from munit_tf.errors import InputError

SMALL = dict(resize=8, image_size=(8, 8))


class _Flat:
    """Image i is one gray of level `first + i`, so that a batch tells which images it shows."""

    def __init__(self, count, first=0, size=(8, 8)):
        self.count = count
        self.first = first
        self.size = size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return Image.new("RGB", self.size, (self.first + index,) * 3)

    def name(self, index):
        return f"flat {index}"


class _Gradient(_Flat):
    """Red rises by 1 a column, green by 1 a row, blue is the index: a crop tells its place."""

    def __getitem__(self, index):
        width, height = self.size
        rows, columns = np.mgrid[:height, :width]
        image = np.stack([columns, rows, np.full_like(rows, index)], -1)
        return Image.fromarray(image.astype(np.uint8))


def batches(sources, start=0, stop=10, batch_size=1, seed=0, noise=None, **options):
    dataset = pipeline.training_batches(
        sources, batch_size=batch_size, seed=seed, start=start, stop=stop, **{**SMALL, **options}
    )
    with_noise = tf.function(
        lambda batch: pipeline.with_noise(batch, noise or {}, seed), autograph=False, reduce_retracing=True
    )
    return [{name: x.numpy() for name, x in with_noise(batch).items()} for batch in dataset]


def levels(images):
    """The 8-bit values again."""
    return np.round((images + 1) * 127.5).astype(int)


def shown(steps, domain):
    return [int(level) for batch in steps for level in levels(batch[domain])[:, 0, 0, 2]]


def test_order_for_seed_0_is_pinned():
    steps = batches({"a": _Flat(7), "b": _Flat(7)}, stop=14)
    assert shown(steps, "a") == [3, 1, 2, 5, 4, 0, 6, 4, 5, 2, 3, 6, 0, 1]
    assert shown(steps, "b") == [3, 5, 2, 1, 6, 4, 0, 0, 2, 5, 6, 4, 3, 1]


def test_crops_flips_and_noise_for_seed_0_are_pinned():
    steps = batches(
        {"a": _Gradient(1, size=(40, 20))},
        stop=4,
        noise={"style_a": (3,)},
        resize=20,
        image_size=(8, 8),
    )
    corners = [levels(batch["a"])[0, 0, [0, -1], :2].tolist() for batch in steps]
    assert corners == [
        [[27, 7], [34, 7]],
        [[8, 9], [1, 9]],
        [[25, 11], [32, 11]],
        [[2, 10], [9, 10]],
    ]
    style = np.concatenate([batch["style_a"] for batch in steps[:2]])
    expected = [[1.0735346, -0.6520875, -0.15450765], [-1.2928942, 0.5865268, 0.6745037]]
    np.testing.assert_allclose(style, expected, rtol=1e-5)


def test_noise_of_the_size_of_feature_maps_is_pinned_in_a_graph_and_without():
    noise = {"noise_a": (4, 6, 3), "noise_cycle_b": (16, 16, 64)}
    dataset = pipeline.training_batches({}, batch_size=2, seed=0, start=3, stop=4, **SMALL)
    (eager,) = (pipeline.with_noise(batch, noise, 0) for batch in dataset)
    (graph,) = batches({}, 3, 4, batch_size=2, noise=noise)
    assert set(graph) == set(eager) == set(noise)
    for drawn in (eager, graph):
        a, b = (np.asarray(drawn[name]) for name in noise)
        assert a.shape == (2, 4, 6, 3) and b.shape == (2, 16, 16, 64) and a.dtype == b.dtype == np.float32
        expected = [[-1.683697, 0.7411439], [2.2770793, 0.5391299]]
        np.testing.assert_allclose(a[:, 0, 0, :2], expected, rtol=1e-5)
        expected = [[-0.658022, -1.9409493], [-1.5807408, -0.3569228]]
        np.testing.assert_allclose(b[:, -1, -1, -2:], expected, rtol=1e-5)
        assert [a.sum(), b.sum()] == pytest.approx([3.376728, 407.360777], rel=1e-4)


def test_every_epoch_shows_every_image_once_and_the_shorter_domain_repeats():
    steps = batches({"a": _Flat(6), "b": _Flat(4, first=100)}, stop=12)
    a, b = shown(steps, "a"), shown(steps, "b")
    assert [sorted(a[i : i + 6]) for i in (0, 6)] == [[0, 1, 2, 3, 4, 5]] * 2
    assert [sorted(b[i : i + 4]) for i in (0, 4, 8)] == [[100, 101, 102, 103]] * 3
    assert a[:6] != a[6:]


def test_a_run_that_starts_at_step_k_shows_the_same():
    sources = {"a": _Gradient(5, size=(20, 12)), "b": _Gradient(3, size=(12, 30))}
    options = dict(batch_size=3, noise={"style_a": (8,), "noise": (2, 2)}, resize=12, image_size=(8, 6))
    whole = batches(sources, 0, 9, **options)
    late = batches(sources, 5, 9, **options)
    assert len(late) == 4
    for early, again in zip(whole[5:], late):
        assert early.keys() == again.keys() == {"a", "b", "style_a", "noise"}
        for name in early:
            np.testing.assert_array_equal(early[name], again[name])


def test_after_a_rollback_images_and_noise_are_others_and_follow_from_the_step_alone():
    sources = {"a": _Gradient(50, size=(20, 12))}
    options = dict(batch_size=2, noise={"style_a": (8,)}, resize=12, image_size=(8, 6))
    whole = batches(sources, 0, 6, **options)
    once, thrice = (batches(sources, 0, 6, rollbacks=to, **options) for to in ([2], [2, 2, 4]))
    late = batches(sources, 3, 6, rollbacks=[2, 2, 4], **options)
    for name in ("a", "style_a"):
        rows = [[batch[name].tolist() for batch in run] for run in (whole, once, thrice)]
        assert rows[0][:2] == rows[1][:2] == rows[2][:2]
        for k in (2, 3, 4, 5):
            assert rows[0][k] != rows[1][k] != rows[2][k] != rows[0][k]
        assert rows[2][3:] == [batch[name].tolist() for batch in late]


def test_a_late_step_costs_no_earlier_one():
    assert len(batches({"a": _Flat(7)}, 10**12, 10**12 + 2)) == 2


def test_batch_size_only_groups_the_sequence():
    sources = {"a": _Gradient(5, size=(20, 12))}
    options = dict(noise={"style_a": (4,)}, resize=12)
    ones, threes = batches(sources, stop=6, **options), batches(sources, stop=2, batch_size=3, **options)
    for name in ("a", "style_a"):
        np.testing.assert_array_equal(
            np.concatenate([batch[name] for batch in ones]),
            np.concatenate([batch[name] for batch in threes]),
        )


def test_another_seed_shows_another_order_crop_and_noise():
    sources = {"a": _Gradient(50, size=(60, 60))}
    one, other = (batches(sources, seed=seed, noise={"style_a": (4,)}, resize=60, stop=20) for seed in (0, 1))
    assert shown(one, "a") != shown(other, "a")
    places = [[tuple(levels(batch["a"])[0, 0, 0, :2]) for batch in run] for run in (one, other)]
    assert places[0] != places[1]
    assert not np.array_equal(one[0]["style_a"], other[0]["style_a"])


def test_domains_are_shuffled_and_cropped_apart():
    steps = batches({d: _Gradient(50, size=(60, 60)) for d in "ab"}, resize=60, stop=50)
    assert sum(np.array_equal(batch["a"], batch["b"]) for batch in steps) == 0
    assert shown(steps, "a") != shown(steps, "b")


def test_paired_domains_come_together():
    steps = batches({d: _Gradient(50, size=(60, 60)) for d in "ab"}, resize=60, stop=50, paired=True)
    for batch in steps:
        np.testing.assert_array_equal(batch["a"], batch["b"])
    assert sorted(shown(steps, "b")) == list(range(50))


def test_paired_domains_need_equal_lengths():
    with pytest.raises(InputError, match="3 of a, 4 of b"):
        batches({"a": _Flat(3), "b": _Flat(4)}, paired=True)


def test_crops_reach_every_place_and_flips_are_fair():
    steps = batches({"a": _Gradient(1, size=(11, 9))}, batch_size=400, stop=1, resize=9)
    x = levels(steps[0]["a"])
    flipped = x[:, 0, 0, 0] > x[:, 0, -1, 0]
    assert 160 < flipped.sum() < 240
    left, top = np.minimum(x[:, 0, 0, 0], x[:, 0, -1, 0]), x[:, 0, 0, 1]
    counts = np.array([[np.sum((left == i) & (top == j)) for i in range(4)] for j in range(2)])
    assert counts.sum() == 400
    assert counts.min() > 25  # 50 are expected of each of the 4 x 2 places.


def test_noise_is_standard_normal_and_differs_between_steps_names_and_samples():
    steps = batches({}, batch_size=50, stop=20, noise={"style_a": (8,), "style_b": (8,)})
    a, b = (np.stack([batch[name] for batch in steps]) for name in ("style_a", "style_b"))
    assert a.shape == (20, 50, 8) and a.dtype == np.float32
    assert abs(a.mean()) < 0.04 and abs(a.std() - 1) < 0.03
    assert abs(np.mean(a**4) - 3) < 0.4
    assert len(np.unique(np.concatenate([a, b]))) > 0.999 * 2 * a.size
    assert abs(np.mean(a * b)) < 0.04
    assert abs(np.mean(a[:-1] * a[1:])) < 0.04


def test_noise_may_not_be_named_as_a_domain():
    with pytest.raises(ValueError, match="'a'"):
        batches({"a": _Flat(3)}, noise={"a": (8,)})


def test_values_span_minus_1_to_1():
    steps = batches({"a": _Flat(2, first=254)}, stop=2)
    assert sorted(float(batch["a"].max()) for batch in steps) == [np.float32(254 / 127.5 - 1), 1.0]
    assert float(batches({"a": _Flat(1)}, stop=1)[0]["a"].min()) == -1.0


def test_workers_share_out_each_batch_and_load_their_own_rows_only():
    """Two workers with two replicas each: the rows of a batch of 8 in order are their pairs of 2."""

    class Noted(_Flat):
        def __getitem__(self, index):
            loaded.append(index)
            return super().__getitem__(index)

    whole = batches({"a": _Flat(50)}, start=3, stop=5, batch_size=8, noise={"style_a": (2,)})
    for worker, rows in enumerate([slice(0, 4), slice(4, 8)]):
        loaded = []
        context = tf.distribute.InputContext(2, worker, 4)
        parts = batches(
            {"a": Noted(50)}, start=3, stop=5, batch_size=8, noise={"style_a": (2,)}, context=context
        )
        assert [len(part["a"]) for part in parts] == [2, 2, 2, 2]
        for name in ("a", "style_a"):
            own = np.concatenate([step[name][rows] for step in whole])
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), own)
        assert sorted(loaded) == sorted(level for step in whole for level in shown([step], "a")[rows])


def test_element_spec_is_static_and_the_end_is_known():
    dataset = pipeline.training_batches(
        {"a": _Flat(7), "b": _Flat(7)},
        resize=12,
        image_size=(8, 12),
        batch_size=3,
        seed=0,
        start=2,
        stop=9,
    )
    assert dataset.element_spec == {
        "a": tf.TensorSpec([3, 8, 12, 3], tf.float32),
        "b": tf.TensorSpec([3, 8, 12, 3], tf.float32),
        "position": tf.TensorSpec([3], tf.int64),
    }
    assert dataset.cardinality().numpy() == 7
    policy = dataset.options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.OFF


def test_resizing_is_pillows_antialiased_bilinear():
    noise = np.random.default_rng(0).integers(0, 256, (30, 45, 3), np.uint8)
    image = Image.fromarray(noise)
    small = pipeline.resize_shorter(image, 10)
    assert small.size == (15, 10)
    np.testing.assert_array_equal(small, image.resize((15, 10), Image.Resampling.BILINEAR))
    assert pipeline.resize_shorter(image.crop((0, 0, 20, 33)), 10).size == (10, 16)
    assert pipeline.resize_shorter(image, 60).size == (90, 60)


def test_load_images_takes_the_middle():
    source = _Gradient(4, size=(20, 13))
    images = pipeline.load_images(source, [2, 0], resize=13, image_size=(8, 10))
    assert images.shape == (2, 8, 10, 3) and images.dtype == np.float32
    assert levels(images)[:, 0, 0].tolist() == [[5, 2, 2], [5, 2, 0]]
    assert levels(images)[:, -1, -1].tolist() == [[14, 9, 2], [14, 9, 0]]
    assert pipeline.load_images(source, [], resize=13, image_size=(8, 10)).shape == (0, 8, 10, 3)


def test_an_image_too_small_for_the_crop_is_named():
    message = (
        r"flat 0 is 40x80 pixels \(height x width\), 8x16 after --resize=8, too small for "
        r"--image_size=10x8: raise --resize"
    )
    source = _Flat(1, size=(80, 40))
    with pytest.raises(InputError, match=message):
        pipeline.load_images(source, [0], resize=8, image_size=(10, 8))
    with pytest.raises(InputError, match=message), pipeline.input_errors():
        batches({"a": source}, resize=8, image_size=(10, 8))


def test_an_image_too_long_and_thin_is_named():
    with pytest.raises(InputError, match="flat 0: 1x100000 pixels is too long and thin"):
        pipeline.load_images(_Flat(1, size=(100_000, 1)), [0], resize=256, image_size=(256, 256))


@pytest.mark.parametrize(("resize", "size"), [(8, (9, 9)), (8, (9, 12)), (0, (8, 8)), (8, (0, 8))])
def test_sizes_that_fit_no_image_are_refused_at_once(resize, size):
    with pytest.raises(InputError, match=f"--image_size={size[0]}x{size[1]}"):
        check_sizes(resize, size)
    with pytest.raises(InputError, match="--resize"):
        batches({"a": _Flat(3)}, resize=resize, image_size=size)


@pytest.mark.parametrize("size", [(8, 8), (8, 30), (30, 8), (4, 4)])
def test_sizes_that_fit_some_image_pass(size):
    check_sizes(8, size)


class _Broken(_Flat):
    def __getitem__(self, index):
        raise InputError(f"broken/{index}.jpg cannot be decoded: remove it")


def test_input_error_comes_back_from_a_loop_and_from_a_tf_function():
    dataset = pipeline.training_batches({"a": _Broken(1)}, batch_size=1, seed=0, start=0, stop=3, **SMALL)

    @tf.function
    def total():
        result = 0.0
        for batch in dataset:
            result += tf.reduce_sum(batch["a"])
        return result

    for iterate in (lambda: next(iter(dataset)), total):
        with pytest.raises(InputError) as error, pipeline.input_errors():
            iterate()
        assert str(error.value) == "broken/0.jpg cannot be decoded: remove it"
        assert isinstance(error.value.__cause__, tf.errors.OpError)


def test_other_errors_pass_through_unchanged():
    class Buggy(_Flat):
        def __getitem__(self, index):
            raise RuntimeError("a bug")

    with pytest.raises(tf.errors.OpError, match="RuntimeError: a bug"), pipeline.input_errors():
        batches({"a": Buggy(1)})


def test_a_slow_image_holds_its_place():
    class Uneven(_Flat):
        def __getitem__(self, index):
            time.sleep(0.1 if index in (3, 5) else 0)
            return super().__getitem__(index)

    steps = batches({"a": Uneven(7)}, stop=7)
    assert shown(steps, "a") == [3, 1, 2, 5, 4, 0, 6]


def test_images_are_decoded_in_parallel(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    both = threading.Barrier(2)

    class Meeting(_Flat):
        def __getitem__(self, index):
            both.wait(timeout=20)  # Raises unless two threads are here at the same time.
            return super().__getitem__(index)

    assert len(batches({"a": Meeting(4)}, stop=4)) == 4


def test_a_large_data_set_puts_nothing_into_the_graph():
    sizes = []
    for count in (10, 1_000_000):
        dataset = pipeline.training_batches(
            {"a": _Flat(count)}, batch_size=1, seed=0, start=0, stop=2, **SMALL
        )
        graph = tf.raw_ops.DatasetToGraphV2(
            input_dataset=dataset._variant_tensor, external_state_policy=1, strip_device_assignment=False
        )
        sizes.append(len(graph.numpy()))
    assert abs(sizes[1] - sizes[0]) < 100
