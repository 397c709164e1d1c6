"""CycleGAN, with and without noise, and its pool over a resume."""

import keras
import numpy as np
import pytest
from conformance.methods import TINY, fewer_layers, tiny, tiny_batch

import munit_tf

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def plain():
    return tiny("cyclegan", noise_dim=0, pool_size=0)


def test_without_noise_there_is_one_output(plain):
    assert plain.style_dim == 0 and plain.noise_shapes(32, 32) == {}
    images = tiny_batch(plain, 2)["a"]
    first, other = (plain.translate(images, "a2b", seed=seed).numpy() for seed in (0, 1))
    np.testing.assert_array_equal(first, other)
    assert set(plain.signatures()) == {"translate_a2b", "translate_b2a"}
    with pytest.raises(ValueError, match="CycleGAN has no style"):
        plain.translate(images, "a2b", style=np.zeros((2, 8), "float32"))


def test_losses_are_of_the_way_back_and_of_what_is_there_already(plain):
    batch = tiny_batch(plain, 2)
    made = plain.make_fakes("a", "b", batch)
    losses = plain.generator_losses("a", "b", batch, made)
    back = plain.translate(made["fake"], "b2a").numpy()
    same = plain.translate(batch["b"], "a2b").numpy()
    assert set(losses) == {"adv_g/b", "cycle_x/a", "identity/b"}
    assert float(losses["cycle_x/a"]) == pytest.approx(np.abs(back - batch["a"]).mean(), rel=1e-5)
    assert float(losses["identity/b"]) == pytest.approx(np.abs(same - batch["b"]).mean(), rel=1e-5)


def test_weights_of_terms_are_the_papers():
    model = munit_tf.create("cyclegan", gen_dim=1, dis_dim=1, num_res_blocks=1)
    terms = ("adv_d", "adv_g", "cycle_x", "identity")
    assert [model.loss_weight(term) for term in terms] == [0.5, 1, 10, 5]


def test_noise_is_the_style_and_can_be_heard_but_not_encoded():
    model = tiny("cyclegan", noise_dim=2)
    assert model.style_dim == 2 and not model.has_style_encoder
    assert set(model.signatures()["translate_a2b"][1]) == {"images", "style"}
    images = tiny_batch(model, 1)["a"]
    outputs = [model.translate(images, "a2b", style=np.full((1, 2), s, "float32")).numpy() for s in (-1, 1)]
    # An instance norm after the first convolution would leave rounding alone of it.
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4


def test_the_pool_needs_the_images_size():
    model = munit_tf.create("cyclegan", **TINY["cyclegan"])
    with pytest.raises(
        ValueError, match=r"compile\(image_size=\(height, width\)\), or create it with pool_size=0"
    ):
        model.compile()


def test_discriminators_see_the_pool_and_generators_the_fakes():
    """With one place, taken: a positive first draw gives the first fake again, a negative one the new."""
    model = tiny("cyclegan", pool_size=1)
    fakes = [np.full((1, 16, 16, 3), value, "float32") for value in (0.1, 0.2, 0.3)]
    seen = []
    for fake, decides in zip(fakes, (-1, 1, -1)):
        batch = {"pool_b": np.array([[decides, 0]], "float32")}
        seen.append(float(model.replay("b", batch, {"fake": fake})["fake"][0, 0, 0, 0]))
    np.testing.assert_allclose(seen, [0.1, 0.1, 0.3])
    np.testing.assert_allclose(model.image_pools["b"].images[0, 0, 0, 0], 0.2)
    assert int(model.image_pools["a"].count) == 0


def test_four_steps_are_two_and_two_more_with_the_pool_saved():
    def trained(model, steps):
        for step in steps:
            model.train_step(tiny_batch(model, 2, seed=step))
        return {name: variable.numpy() for name, variable in model.named_state().items()}

    keras.utils.set_random_seed(3)
    model = tiny("cyclegan", **fewer_layers("cyclegan"), pool_size=2)
    halfway = trained(model, (0, 1))
    expected = trained(model, (2, 3))
    other = tiny("cyclegan", **fewer_layers("cyclegan"), pool_size=2)
    for name, variable in other.named_state().items():
        variable.assign(halfway[name])
    result = trained(other, (2, 3))
    assert {"image_pools/a/images", "image_pools/b/count"} <= set(result)
    different = [name for name in expected if not np.array_equal(expected[name], result[name])]
    assert different == []
    for name in ("image_pools/a/images", "image_pools/b/images"):
        other.named_state()[name].assign(np.zeros_like(halfway[name]))
    for name, variable in other.named_state().items():
        if not name.startswith("image_pools"):
            variable.assign(halfway[name])
    without = trained(other, (2, 3))
    assert not np.array_equal(without["discriminators/a/scales/0/0/conv/kernel"],
                              expected["discriminators/a/scales/0/0/conv/kernel"])  # fmt: skip
