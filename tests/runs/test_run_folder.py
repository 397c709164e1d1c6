"""Run folders and checkpoints."""

import pytest
import tensorflow as tf
from conformance.methods import tiny

import munit_tf
from munit_tf.cli import command_line
from munit_tf.runs import checkpoints, loading, run_folder


def save(model, path):
    """Writes a checkpoint of a compiled model's step and returns it."""
    folder = run_folder.RunFolder(path)
    loading.checkpoint_manager(folder, model, keep=2).save()
    return folder.newest_checkpoint()


def test_checkpoint_is_one_flat_mapping_of_our_names(tmp_path):
    model = tiny("munit")
    keys = {key for key, _ in tf.train.list_variables(str(save(model, tmp_path).path / "state"))}
    expected = {name.replace("/", ".S") + "/.ATTRIBUTES/VARIABLE_VALUE" for name in model.named_state()}
    assert keys - {"_CHECKPOINTABLE_OBJECT_GRAPH"} == expected
    names = set(model.named_state())
    assert {
        "step",
        "generators/a/content_encoder/convs/0/conv/kernel",
        "generators/b/decoder/res_blocks/0/second/conv/bias",
        "generators/b/decoder/convs/1/norm/gamma",
        "discriminators/a/scales/1/0/conv/kernel",
        "generator_optimizer/m/generators/a/style_encoder/head/kernel",
        "discriminator_optimizer/updates",
    } - {name.replace("m/a/", "m/generators/a/") for name in names} == set()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(num_res_blocks=2), "it has no generators/a/content_encoder/res_blocks/1/"),
        (dict(gen_dim=8), "has shape"),
    ],
)
def test_checkpoint_of_another_model_is_refused(tmp_path, options, message):
    checkpoint = save(tiny("munit"), tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        checkpoints.restore(tiny("munit", **options).named_state(), checkpoint)
    assert "\n" not in str(caught.value)


def test_checkpoint_of_a_larger_model_is_refused(tmp_path):
    checkpoint = save(tiny("munit", num_scales=3), tmp_path)
    with pytest.raises(ValueError, match="the model has no .*scales/2/"):
        checkpoints.restore(tiny("munit").named_state(), checkpoint)


def test_load_says_what_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="no run.flags"):
        munit_tf.load(tmp_path)
    (tmp_path / "run.flags").write_text("--dataset=shapes\n--gen_dim=4\n--dis_dim=4\n")
    with pytest.raises(ValueError, match="no checkpoint yet"):
        munit_tf.load(tmp_path)


def test_a_lock_leaves_no_empty_folder_behind(tmp_path):
    with run_folder.RunFolder(tmp_path / "runs" / "mine").lock():
        assert (tmp_path / "runs" / "mine").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_notes_of_rollbacks_are_read_as_they_were_written(tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    assert folder.read_rollbacks() == []
    folder.write_rollbacks([{"to": 7, "reason": "step 9: loss_g is nan"}])
    assert folder.read_rollbacks() == [{"to": 7, "reason": "step 9: loss_g is nan"}]


def test_truncate_log_drops_later_and_torn_lines(tmp_path):
    folder = run_folder.RunFolder(tmp_path)
    folder.log.write_text('{"step": 1, "x": 0.5}\n{"step": 2, "x": 0.25}\n{"step": 3, "x"')
    assert folder.truncate_log(1) == [{"step": 1, "x": 0.5}]
    assert folder.log.read_text() == '{"step": 1, "x": 0.5}\n'


def test_load_needs_no_vgg_weights(tmp_path):
    """Only training has the perceptual loss."""
    options, _ = command_line.parse(
        ["--dataset=x", "--gen_dim=2", "--dis_dim=2", "--perceptual_weight=1", "--vgg_weights=/gone.h5"],
        run_folder.CONFIGS,
    )
    model = loading.build_model(options)
    with pytest.raises(ValueError, match="there is no file /gone.h5"):
        model.compile()
    folder = run_folder.RunFolder(tmp_path)
    folder.write_options(options)
    checkpoints.write(folder.checkpoints, 7, {"step": model.step, **model.named_weights()})
    assert munit_tf.load(tmp_path).config.perceptual_weight == 1


def test_load_outlives_training_that_removes_a_checkpoint(tmp_path, monkeypatch):
    """The checkpoint is gone when the model is built, and a newer one is there."""
    (tmp_path / "run.flags").write_text("--dataset=shapes\n--gen_dim=4\n--dis_dim=4\n--num_res_blocks=1\n")
    model = loading.build_model(run_folder.RunFolder(tmp_path).options())
    model.compile()
    manager = loading.checkpoint_manager(run_folder.RunFolder(tmp_path), model, keep=1)
    manager.save()
    build_model = loading.build_model

    def build_slowly(*arguments):
        if int(model.step) == 0:
            model.step.assign(7)
            manager.save()
        return build_model(*arguments)

    monkeypatch.setattr(loading, "build_model", build_slowly)
    assert int(munit_tf.load(tmp_path).step) == 7
