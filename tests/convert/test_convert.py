"""From a Keras file to a model file, through the command."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from convert import calibrate, export, graph, parity
from convert.__main__ import main
from runtime import datasets, evaluate, metrics, model_files, scenes
from runtime.datasets import Source
from runtime.frames import Geometry
from runtime.quality import Quality
from runtime.segmenter import Segmenter
from train.models import MODELS


def command(trained: Path, output: Path, precision: str, streets: Path) -> list[str]:
    data = f"cityscapes:{streets}"
    arguments = [str(trained), "-o", str(output), "--precision", precision, "--data", data]
    report = ["--calibration-report", str(output.with_suffix(".json"))]
    return [*arguments, "--calibration", data, "--calibration-frames", "4", *report]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained U-Net whose logits differ enough between categories to be worth an argmax."""
    keras.utils.set_random_seed(3)
    model = MODELS["unet"]()
    path = tmp_path_factory.mktemp("run") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def converted(trained: Path, streets: Path) -> dict[str, Path]:
    """All precisions, converted with labelled scenes at hand; float16 from the float32 file, without Keras."""
    files = {precision: trained.parent / f"toy-{precision}.onnx" for precision in ("fp32", "int8", "fp16")}
    for precision, path in files.items():
        source = files["fp32"] if precision == "fp16" else trained
        assert main(command(source, path, precision, streets)) == 0
    return files


def test_float32_is_keras_at_sizes_it_was_not_traced_at(trained: Path, converted: dict[str, Path]) -> None:
    model, segmenter = keras.models.load_model(trained, compile=False), Segmenter.load(converted["fp32"])
    rng = np.random.default_rng(0)
    for height, width in ((32, 32), (96, 160), (288, 512)):
        images = rng.integers(0, 256, (2, height, width, 3), np.uint8)
        expected = np.argmax(model(images.astype(np.float32), training=False), -1) + 1
        assert metrics.agreement(segmenter.infer(images), expected.astype(np.uint8)) > 0.999


def test_the_file_is_its_own_contract(converted: dict[str, Path], streets: Path) -> None:
    for precision, path in converted.items():
        contract = Segmenter.load(path).contract
        assert contract.precision == precision
        assert contract.geometry == Geometry()
        assert contract.accuracy["cityscapes"]["frames"] == 4
        assert str(streets) not in str(onnx.load(path).metadata_props)


def test_every_precision_has_a_calibrated_confidence(converted: dict[str, Path], streets: Path) -> None:
    pairs = Source.parse(f"cityscapes:{streets}").pairs("val")
    for path in converted.values():
        segmenter = Segmenter.load(path, confidence=True)
        contract = segmenter.contract
        told = json.loads(path.with_suffix(".json").read_text())
        assert (told["model"], told["frames"], told["temperature"]) == (path.stem, 2, contract.temperature)
        found = evaluate.evaluate_trust(segmenter, pairs[1::2])
        assert told["after"] == found.reliability.summary()
        assert told["data"]["cityscapes"] == {
            "frames": 2,
            "before": told["before"]["ece"],
            "after": contract.accuracy["cityscapes"]["ece"],
        }
        # An untrained network is wrong more often than it thinks.
        assert contract.temperature > 1
        assert told["after"]["ece"] < told["before"]["ece"]


def test_the_thresholds_are_those_of_the_frames_that_it_learnt_from(converted: dict[str, Path], streets: Path) -> None:
    limits = Segmenter.load(converted["fp32"]).contract.quality
    seen = calibrate.looks(Source.parse(f"cityscapes:{streets}").pairs("train"), Geometry())
    lumas, sharpness = sorted(one.luma for one in seen), sorted(one.sharpness for one in seen)
    assert lumas[0] <= limits["luma_low"] <= lumas[1]
    assert lumas[-2] <= limits["luma_high"] <= lumas[-1]
    assert sharpness[0] <= limits["sharpness_low"] <= sharpness[1]
    assert 0 < limits["confidence_low"] < 1


def test_of_several_data_sets_the_most_lenient_threshold_counts() -> None:
    def frames(luma: float, sharpness: float, confidence: float | None) -> list[Quality]:
        return [Quality((), luma, sharpness, confidence)] * 3

    trained = [frames(50, 0.3, None), frames(80, 0.2, None)]
    assert calibrate.thresholds(trained, [frames(60, 0.1, 0.9), frames(60, 0.1, 0.8)]) == {
        "luma_low": 50,
        "luma_high": 80,
        "sharpness_low": 0.2,
        "confidence_low": 0.8,
    }


def test_float32_is_calibrated_anew_and_keeps_its_mask(
    converted: dict[str, Path], streets: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again-fp32.onnx"
    assert main(command(converted["fp32"], again, "fp32", streets)) == 0
    assert onnx.load(again) == onnx.load(converted["fp32"])


def test_without_labels_confidence_is_the_source_s_or_uncalibrated_and_said_so(
    trained: Path,
    converted: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Smaller scenes than the gate takes by itself: it is the sizes that take the time.
    generate = scenes.generate
    monkeypatch.setattr(scenes, "generate", lambda seed, *_: generate(seed, 128, 64))
    source = Segmenter.load(converted["fp32"]).contract
    for model, precision, temperature, said in (
        (converted["fp32"], "fp16", source.temperature, f"the source's temperature, {source.temperature:g}"),
        (trained, "fp32", 1.0, "temperature 1 and is not calibrated"),
    ):
        path = tmp_path / f"m-{precision}.onnx"
        assert main([str(model), "-o", str(path), "--precision", precision]) == 0
        assert said in capsys.readouterr().out
        assert Segmenter.load(path, confidence=True).contract.temperature == temperature


def test_the_stamped_accuracy_is_what_evaluation_gives(converted: dict[str, Path], streets: Path) -> None:
    segmenter, confusion = Segmenter.load(converted["int8"]), metrics.Confusion()
    for pair in Source.parse(f"cityscapes:{streets}").pairs("val"):
        frame, truth = datasets.read(pair, scored_only=True)
        confusion.add(truth, segmenter.segment(frame))
    assert segmenter.contract.accuracy["cityscapes"]["mean_iou"] == pytest.approx(confusion.mean_iou(), abs=1e-9)


def test_int8_of_the_float32_file_is_int8_of_the_keras_file(
    converted: dict[str, Path], streets: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again-int8.onnx"
    assert main(command(converted["fp32"], again, "int8", streets)) == 0
    assert Segmenter.load(again).contract == Segmenter.load(converted["int8"]).contract
    images = np.random.default_rng(1).integers(0, 256, (1, 64, 96, 3), np.uint8)
    first, second = (Segmenter.load(path).infer(images) for path in (converted["int8"], again))
    np.testing.assert_array_equal(first, second)


def test_float16_computes_in_float16(converted: dict[str, Path]) -> None:
    weights = {tensor.data_type for tensor in onnx.load(converted["fp16"]).graph.initializer if len(tensor.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16}


def test_lower_precisions_are_smaller_and_standard_onnx(converted: dict[str, Path]) -> None:
    int8, fp16, fp32 = (converted[precision] for precision in ("int8", "fp16", "fp32"))
    assert int8.stat().st_size < 0.45 * fp32.stat().st_size
    assert fp16.stat().st_size < 0.6 * fp32.stat().st_size
    for path in (int8, fp16, fp32):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [opset.domain for opset in model.opset_import if opset.domain] == []


def test_int8_keeps_no_activation_of_its_own(converted: dict[str, Path]) -> None:
    """Left in the graph, it would mean that outputs are quantised over the range before it, at a loss of accuracy."""
    operators = {node.op_type for node in onnx.load(converted["int8"]).graph.node}
    assert not operators & {"Clip", "Relu"}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv", "ArgMax"} <= operators


def test_the_cost_that_is_stamped_is_what_keras_layers_add_up_to(trained: Path, converted: dict[str, Path]) -> None:
    model = keras.models.load_model(trained, compile=False)
    fixed = keras.models.clone_model(model, input_tensors=keras.Input((512, 1024, 3)))
    counted = sum(
        float(np.prod(layer.output.shape[1:3])) * float(np.prod(layer.kernel.shape))
        for layer in fixed.layers
        if isinstance(layer, keras.layers.Conv2D)
    )
    for path in converted.values():
        assert Segmenter.load(path).contract.gmac == pytest.approx(counted / 1e9, abs=1e-3)


def test_multiply_accumulates_are_counted_by_hand(tmp_path: Path) -> None:
    inputs = keras.Input((64, 96, 3))
    x = keras.layers.Conv2D(8, 3, 2, padding="same")(inputs)
    x = keras.layers.DepthwiseConv2D(5, padding="same")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(7, 1)(x))
    made = export.to_onnx(model, Geometry(pixel_budget=64 * 128), tmp_path / "raw.onnx")
    pixels = 32 * 64
    assert graph.gmac(made, 64, 128) * 1e9 == pytest.approx(pixels * (27 * 8 + 25 * 8 + 8 * 7))


@pytest.mark.parametrize(
    ("precision", "bound", "value"),
    [
        ("fp32", "FLOAT_AGREEMENT", 1.1),
        ("fp32", "CONFIDENCE_DIFFERENCE", -1.0),
        ("int8", "LOSS", -1.0),
        ("int8", "CONFIDENCE_DIFFERENCE", 1e-6),
        ("fp16", "HALF_AGREEMENT", 1.1),
    ],
)
def test_what_the_gate_refuses_is_not_written(
    precision: str,
    bound: str,
    value: float,
    trained: Path,
    streets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(parity, bound, value)
    assert main(command(trained, tmp_path / f"out-{precision}.onnx", precision, streets)) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_line_and_nothing_is_written(
    trained: Path, streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, classifier, coarse = (tmp_path / f"{name}.keras" for name in ("text", "classifier", "coarse"))
    wide = keras.Input((None, None, 3))
    keras.Model(wide, keras.layers.Conv2D(7, 3, 4, padding="same")(wide)).save(coarse)
    text.write_text("no model")
    shipped, empty = model_files.find("accurate-int8"), tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    inputs = keras.Input((32, 32, 3))
    keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs))).save(classifier)
    out, folder = tmp_path / "out", tmp_path / "folder-fp32.onnx"
    out.mkdir()
    folder.mkdir()
    data, int8 = ["--data", f"cityscapes:{streets}"], out / "m-int8.onnx"
    for arguments, named in (
        ([str(tmp_path / "absent.keras"), "-o", str(out / "m-fp32.onnx")], "no file"),
        ([str(text), "-o", str(out / "m-fp32.onnx"), *data], "no Keras model"),
        ([str(classifier), "-o", str(out / "m-fp32.onnx"), *data], "no segmentation model"),
        ([str(coarse), "-o", str(out / "m-fp32.onnx"), *data], "one row of 7 logits a pixel"),
        ([str(trained), "-o", str(int8), "--precision", "int8"], "--calibration"),
        ([str(trained), "-o", str(out / "m.onnx")], "NAME-fp32.onnx"),
        ([str(shipped), "-o", str(out / "m-fp32.onnx")], "an .onnx file already"),
        ([str(trained), "-o", str(out / "m-fp32.onnx"), "--calibration-report", str(out / "c.json")], "give --data"),
        (
            [str(trained), "-o", str(out / "m-fp32.onnx"), *data, "--calibration-report", str(out / "no" / "c.json")],
            "no folder",
        ),
        ([str(shipped), "-o", str(out / "m-fp16.onnx"), "--precision", "fp16"], "made of float32"),
        ([str(empty), "-o", str(out / "m-fp16.onnx"), "--precision", "fp16"], "can't be loaded"),
        ([str(trained), "-o", str(out / "no" / "m-fp32.onnx")], "no folder"),
        ([str(trained), "-o", str(folder)], "is a folder"),
        ([str(trained), "-o", str(out / "m-fp32.onnx"), "--data", "cityscapes:/nowhere"], "no folder"),
        (
            [str(trained), "-o", str(out / "m-int8.onnx"), "--precision", "int8", "--calibration", str(out)],
            "no data set",
        ),
    ):
        capsys.readouterr()
        assert main(arguments) == 2, arguments
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert named in lines[0], lines
        assert list(out.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    shipped, target = model_files.find("accurate-fp32"), tmp_path / "m-fp16.onnx"
    assert main([str(shipped), "-o", str(target), "--precision", "fp16"]) == 2
    assert capsys.readouterr().err == f"convert: {tmp_path} can't be written: Permission denied\n"


def test_a_float32_file_is_converted_without_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; from convert.__main__ import main; status = main(sys.argv[1:]); "
        "print({'keras', 'tensorflow'} & set(sys.modules), file=sys.stderr); sys.exit(status)"
    )
    shipped, target = model_files.find("accurate-fp32"), tmp_path / "m-fp16.onnx"
    command = [sys.executable, "-c", code, str(shipped), "-o", str(target), "--precision", "fp16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "set()\n")
    assert Segmenter.load(target).contract.precision == "fp16"
