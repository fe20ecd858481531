"""`python -m train`, the command: how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.errors import DataInvalid
from train.__main__ import _prepare, main, parser, settings_of
from train.settings import Settings

# The training itself is left out: it is the signal's way to the exit status that is looked at.
STOPPED = """
import signal, sys
import train.__main__ as command

command.run = lambda *_arguments: signal.raise_signal(getattr(signal, sys.argv[1]))
sys.exit(command.main(["--data", "cityscapes:nowhere", "--out", "run"]))
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_ends_it_with_one_line_that_says_how_to_go_on(name, status):
    ended = subprocess.run([sys.executable, "-c", STOPPED, name], capture_output=True, text=True)
    assert ended.returncode == status
    assert len(ended.stderr.splitlines()) == 1
    assert "--resume" in ended.stderr


def test_a_cluster_that_can_t_be_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TF_CONFIG", "four workers")
    assert main(["--data", "cityscapes:nowhere", "--out", "run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train: TF_CONFIG can't be read")


def test_no_readers_are_refused(streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", f"cityscapes:{streets}", "--out", str(tmp_path / "run"), "--readers", "0"]) == 2
    assert "--readers must be at least 1" in capsys.readouterr().err


def test_any_setting_can_be_set_by_name(streets: Path, tmp_path: Path) -> None:
    given = ["--data", f"cityscapes:{streets}", "--out", str(tmp_path), "--set", "augmentation.noise=0.5"]
    made = settings_of(parser().parse_args([*given, "--set", "geometry.pixel_budget=131072"]))
    assert (made.augmentation.noise, made.geometry.pixel_budget) == (0.5, 131072)
    with pytest.raises(DataInvalid, match="--batch must be at least 1"):
        settings_of(parser().parse_args([*given, "--set", "batch=0"]))


@pytest.mark.parametrize("given", [["--set", "augmentation.crop=[0, 0]"], ["--degrade", "inf"]])
def test_a_setting_that_makes_no_sense_is_one_line(
    streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    assert main(["--data", f"cityscapes:{streets}", "--out", str(tmp_path / "run"), *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert " must be " in line


def test_resuming_another_run_says_what_differs(tmp_path: Path) -> None:
    """As a run of a release that did not have all settings yet."""
    settings = Settings(data=("cityscapes:a",))
    _prepare(tmp_path, settings, 8, resume=False, chief=True)
    (tmp_path / "checkpoint.npz").touch()
    _prepare(tmp_path, settings, 8, resume=True, chief=True)
    old = json.loads((tmp_path / "run.json").read_text())
    del old["settings"]["augmentation"]["veil"]
    (tmp_path / "run.json").write_text(json.dumps(old | {"frames": 9}))
    with pytest.raises(DataInvalid, match=r"other settings or frames \(frames, augmentation\.veil\): --resume"):
        _prepare(tmp_path, settings, 8, resume=True, chief=True)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(DataInvalid, match="can't be used as a run folder"):
        _prepare(tmp_path, settings, 8, resume=True, chief=True)
