"""Whole training runs, of the U-Net on tiny scenes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from runtime.datasets import Source
from runtime.errors import DataInvalid
from train import fit
from train.__main__ import main
from train.settings import Augmentation, Settings
from train.trainer import Trainer, learning_rate


def settings(streets: Path, **changes: Any) -> Settings:
    some = Settings(
        data=(f"cityscapes:{streets}",), model="unet", epochs=2, batch=4, augmentation=Augmentation(crop=(64, 96))
    )
    return replace(some, **changes)


def run(some: Settings, out: Path, *, resume: bool = False) -> list[fit.Epoch]:
    source = Source.parse(some.data[0])
    out.mkdir(exist_ok=True)
    loader = fit.Loader(source.pairs("train"), some)
    return fit.train(some, loader, {"cityscapes": source.pairs("val")}, out, resume=resume)


class Interrupted(Exception):
    pass


def test_a_resumed_run_goes_on_exactly(streets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = settings(streets)
    straight = run(some, tmp_path / "straight")

    def interrupt(*_: Any) -> None:
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(fit, "validate", interrupt)
        with pytest.raises(Interrupted):
            run(some, tmp_path / "resumed")
    resumed = run(some, tmp_path / "resumed", resume=True)
    assert [epoch.epoch for epoch in resumed] == [1, 2]
    assert [list(epoch.validation) for epoch in resumed] == [["cityscapes"], ["cityscapes"]]
    assert [row["epoch"] for row in json.loads((tmp_path / "resumed" / "metrics.json").read_text())] == [1, 2]
    assert resumed[1].loss == pytest.approx(straight[1].loss, rel=1e-4)
    models = [
        keras.models.load_model(tmp_path / name / "model.keras", compile=False) for name in ("straight", "resumed")
    ]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    with np.load(tmp_path / "resumed" / "checkpoint.npz") as checkpoint:
        assert int(checkpoint["epochs_done"]) == 2


def test_a_run_of_an_older_version_is_read(streets: Path, tmp_path: Path) -> None:
    some = settings(streets, epochs=1)
    run(some, tmp_path / "run")
    history = tmp_path / "run" / "metrics.json"
    (epoch,) = json.loads(history.read_text())
    del epoch["frames_per_s"], epoch["stall"]
    history.write_text(json.dumps([epoch]))
    (old,) = run(some, tmp_path / "run", resume=True)
    assert (old.frames_per_s, old.stall) == (None, None)
    assert "frames/s" not in old.line()
    history.write_text("[]")
    with pytest.raises(DataInvalid, match="it has 0 epochs, the checkpoint 1"):
        run(some, tmp_path / "run", resume=True)


def test_waiting_for_batches_is_told_as_the_share_of_the_epoch(
    streets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = fit.Loader.epoch

    def slow(loader: fit.Loader, number: int) -> Iterator[fit.Batch]:
        for batch in batches(loader, number):
            time.sleep(0.3)
            yield batch

    monkeypatch.setattr(fit.Loader, "epoch", slow)
    (epoch,) = run(settings(streets, epochs=1), tmp_path / "run")
    assert 0.6 <= epoch.stall * epoch.seconds <= epoch.seconds
    assert f"input stall {epoch.stall:.0%}" in epoch.line()


def test_a_checkpoint_holds_every_bit_of_the_state(streets: Path, tmp_path: Path) -> None:
    some = settings(streets)
    loader = fit.Loader(Source.parse(some.data[0]).pairs("train"), some)
    trainer, other = Trainer(some, 10), Trainer(replace(some, seed=9), 10)
    trainer.step(*next(loader.epoch(0)))
    trainer.write_checkpoint(tmp_path / "checkpoint.npz", 1)
    assert other.read_checkpoint(tmp_path / "checkpoint.npz") == 1
    for ours, theirs in zip(trainer.state(), other.state(), strict=True):
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    assert int(other.optimizer.iterations) == 1


def test_a_broken_checkpoint_is_told(streets: Path, tmp_path: Path) -> None:
    trainer = Trainer(settings(streets), 10)
    for content in (b"", b"PK\x03\x04 cut off", b"text"):
        (tmp_path / "checkpoint.npz").write_bytes(content)
        with pytest.raises(DataInvalid, match="no checkpoint of this model"):
            trainer.read_checkpoint(tmp_path / "checkpoint.npz")


def test_a_run_can_start_from_another_s_model(streets: Path, tmp_path: Path) -> None:
    first = Trainer(settings(streets), 10)
    first.saved.save(tmp_path / "model.keras")
    second = Trainer(settings(streets, seed=7, init=str(tmp_path / "model.keras")), 10)
    for ours, theirs in zip(first.saved.get_weights(), second.model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    lite = replace(settings(streets, init=str(tmp_path / "model.keras")), model="lite")
    with pytest.raises(DataInvalid, match="no weights for this network"):
        Trainer(lite, 10)


def test_layers_that_another_network_of_the_family_lacks_stay_as_they_were_made(streets: Path, tmp_path: Path) -> None:
    first = Trainer(settings(streets), 10).saved
    image = first.inputs[0]
    parts = [layer for layer in first.layers if layer.weights]
    keras.Model(image, parts[-2].output).save(tmp_path / "shorter.keras")
    second = Trainer(settings(streets, seed=7, init=str(tmp_path / "shorter.keras")), 10).saved
    theirs = {layer.name: layer for layer in second.layers}
    for layer in parts[:-1]:
        for one, other in zip(layer.get_weights(), theirs[layer.name].get_weights(), strict=True):
            assert np.array_equal(one, other)
    last = parts[-1]
    assert not np.array_equal(last.get_weights()[0], theirs[last.name].get_weights()[0])


def test_the_loss_falls_and_the_saved_model_is_the_average(streets: Path, tmp_path: Path) -> None:
    some = settings(streets, learning_rate=5e-3, ema=0.0)
    source = Source.parse(some.data[0])
    trainer = Trainer(some, total_steps=60)
    batch = next(fit.Loader(source.pairs("train"), some).epoch(0))
    losses = [float(trainer.step(*batch)) for _ in range(25)]
    assert losses[-1] < losses[0] * 0.8
    trainer.publish()  # without a memory the average is the weights themselves
    for average, weight in zip(trainer.saved.get_weights(), trainer.model.get_weights(), strict=True):
        np.testing.assert_allclose(average, weight, atol=1e-6)


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    some = Settings(data=(), learning_rate=1.0, warmup_steps=100)
    rates = [float(learning_rate(some, 1000)(step)) for step in (0, 50, 100, 550, 1000)]
    assert rates == pytest.approx([0, 0.5, 1, 0.505, 0.01], abs=1e-3)


def test_the_command_leaves_a_whole_run_folder(streets: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = [
        "--data",
        f"cityscapes:{streets}",
        "--out",
        str(out),
        "--model",
        "unet",
        "--epochs",
        "1",
        "--batch",
        "4",
    ]
    assert main(arguments) == 0
    assert {path.name for path in out.iterdir()} == {
        "run.json", "metrics.json", "model.keras", "checkpoint.npz", "curves.png", "samples.png", "tensorboard",
    }  # fmt: skip
    (epoch,) = json.loads((out / "metrics.json").read_text())
    assert epoch["frames_per_s"] == pytest.approx(8 / epoch["seconds"])
    assert 0 <= epoch["stall"] <= 1
    assert set(epoch["validation"]["cityscapes"]["iou"]) == {
        "flat", "construction", "object", "nature", "sky", "human", "vehicle",
    }  # fmt: skip
    assert json.loads((out / "run.json").read_text())["settings"]["model"] == "unet"
    assert main(arguments) == 2
    assert main([*arguments, "--resume", "--seed", "5"]) == 2
    (tmp_path / "file").write_text("in the way")
    assert main([*arguments[:3], str(tmp_path / "file"), *arguments[4:]]) == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--data", "cityscapes:/nowhere"], "no folder"),
        (["--data", "STREETS", "--model", "vgg"], "no model 'vgg'"),
        (["--data", "STREETS", "--loss", "hinge"], "no loss 'hinge'"),
        (["--data", "STREETS", "--epochs", "0"], "--epochs"),
        (["--data", "STREETS", "--batch", "9"], "fewer than one batch"),
        (["--data", "STREETS", "--seed", "-1"], "--seed"),
        (["--data", "STREETS", "--validation-frames", "0"], "--validation-frames"),
        (["--data", "STREETS", "--learning-rate", "0"], "--learning-rate"),
        (["--data", "STREETS", "--degrade", "-1"], "--degrade"),
        (["--data", "STREETS", "--init", "/nowhere/model.keras"], "no file /nowhere/model.keras"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(
    arguments: list[str], named: str, streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([text.replace("STREETS", f"cityscapes:{streets}") for text in [*arguments, "--out", str(out)]]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert named in lines[0]
    assert not out.exists()


def test_a_broken_pair_stops_the_run_with_its_name_and_the_folder_can_be_used_again(
    cityscapes_pair: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cityscapes_pair(np.zeros((96, 192, 3), np.uint8), np.full((96, 192), 99, np.uint8))
    for kind in ("leftImg8bit", "gtFine"):
        (folder / kind / "val").rename(folder / kind / "train")
    arguments = ["--data", f"cityscapes:{folder}", "--out", str(tmp_path / "run"), "--model", "unet", "--batch", "1"]
    for _ in range(2):
        assert main(arguments) == 2
        assert "ids [99] are unknown to cityscapes" in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "run" / "model.keras").exists()
