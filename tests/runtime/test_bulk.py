"""Many frames through one model, in bounded memory; and how far it is, for a person and for a log."""

from __future__ import annotations

import io
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from runtime import bulk as bulk_module
from runtime import codecs, cores
from runtime.bulk import Bulk
from runtime.cli.progress import Progress
from runtime.errors import DataInvalid, ModelInvalid
from runtime.frame_lists import Listed
from runtime.segmenter import Segmenter

Array = npt.NDArray[np.uint8]


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 96, 3), np.uint8)).save(path)


def listed(folder: Path) -> list[Listed]:
    return [Listed(str(path), str(path.relative_to(folder))) for path in sorted(folder.rglob("*.png"))]


def test_what_is_in_work_is_finished_when_it_is_told_to_stop(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter.load(model)
    begun, may_end, infer = threading.Event(), threading.Event(), segmenter.infer

    def slow(images: Array) -> Array:
        begun.set()
        assert may_end.wait(30)
        return infer(images)

    monkeypatch.setattr(segmenter, "infer", slow)
    bulk = Bulk(segmenter, tmp_path)

    def stop() -> None:
        assert begun.wait(30)
        bulk.stop()
        may_end.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcomes = list(bulk.run(listed(folder)))
    stopper.join()
    assert 0 < len(outcomes) < 12
    assert {outcome.frame.mask for outcome in outcomes} == {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png") if folder not in path.parents
    }


def test_a_model_that_cannot_be_run_is_not_the_frames_fault(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter.load(model)

    def fail(_: object) -> None:
        raise ModelInvalid("out of memory")

    monkeypatch.setattr(segmenter, "infer", fail)
    with pytest.raises(ModelInvalid, match="out of memory"):
        list(Bulk(segmenter, tmp_path).run(listed(folder)))


def test_a_frame_that_takes_too_much_memory_is_that_frame_s_error(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, big = codecs.decode, (folder / "bonn" / "0000.png").read_bytes()

    def decode_small(data: bytes, *more: Any) -> Array:
        if data == big:
            raise MemoryError
        return decode(data, *more)

    monkeypatch.setattr(codecs, "decode", decode_small)
    outcomes = list(Bulk(Segmenter.load(model), tmp_path / "out").run(listed(folder)))
    assert [outcome.line for outcome in outcomes if outcome.error] == [
        {
            "frame": str(folder / "bonn/0000.png"),
            "mask": "bonn/0000.png",
            "error": "there is too little memory for it",
        }
    ]
    assert len(outcomes) == 12


def test_few_frames_are_held_at_a_time(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(60):
        draw(tmp_path / "frames" / f"{seed}.png", seed)
    segmenter = Segmenter.load(model)
    may_end, infer = threading.Event(), segmenter.infer
    read, reads = Path.open, []

    def counted(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.parent.name == "frames":
            reads.append(path)
        return read(path, *arguments, **more)

    def slow(images: Array) -> Array:
        assert may_end.wait(30)
        return infer(images)

    monkeypatch.setattr(cores, "available", lambda: 2)
    monkeypatch.setattr(Path, "open", counted)
    monkeypatch.setattr(segmenter, "infer", slow)
    outcomes: list[object] = []
    bulk = Bulk(segmenter, tmp_path / "out")
    runner = threading.Thread(target=lambda: outcomes.extend(bulk.run(listed(tmp_path / "frames"))))
    runner.start()
    at_rest, same_since = -1, time.monotonic()
    while time.monotonic() - same_since < 0.5:
        if len(reads) != at_rest:
            at_rest, same_since = len(reads), time.monotonic()
        time.sleep(0.02)
    may_end.set()
    runner.join()
    assert len(outcomes) == 60
    # One for each reader, and what is in work.
    assert at_rest <= bulk_module.READERS + 5


def test_a_consumer_that_fails_ends_the_run(folder: Path, model: Path, tmp_path: Path) -> None:
    before = threading.active_count()

    def consume() -> None:
        for _ in Bulk(Segmenter.load(model), tmp_path / "out").run(listed(folder)):
            raise DataInvalid("the manifest can't be written")

    with pytest.raises(DataInvalid):
        consume()
    give_up = time.monotonic() + 30
    while threading.active_count() > before:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_log_is_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with Progress("segment 2/8", 1000, every_s=30.0, clock=lambda: now[0]) as progress:
        for done in range(1, 101):
            now[0] = float(done)
            progress.advance(is_broken=done % 50 == 0)
    assert capsys.readouterr().err.splitlines() == [
        "segment 2/8: 30 of 1000 frames, 0 broken, 1.0 a second, 16 min to go",
        "segment 2/8: 60 of 1000 frames, 1 broken, 1.0 a second, 16 min to go",
        "segment 2/8: 90 of 1000 frames, 1 broken, 1.0 a second, 15 min to go",
    ]


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with Progress("segment 2/8", 4) as progress:
        progress.advance()
    assert isinstance(sys.stderr, Terminal)
    assert "segment 2/8" in sys.stderr.getvalue()
    assert "━" in sys.stderr.getvalue()
