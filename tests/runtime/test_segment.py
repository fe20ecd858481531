"""`python -m runtime segment` over many frames: shards, a manifest, broken frames, and processes that are killed."""

from __future__ import annotations

import fcntl
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime import categories, codecs
from runtime.__main__ import main
from runtime.segmenter import Segmenter

Command = list[str]


def command(*arguments: object) -> Command:
    return [sys.executable, "-m", "runtime", "segment", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """In this process: starting one takes longer than what most tests are about."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()) as told:
        try:
            status = main(["segment", *map(str, arguments)])
        except SystemExit as ended:
            status = int(ended.code or 0)
    assert before == {number: signal.getsignal(number) for number in before}
    return subprocess.CompletedProcess(command(*arguments), status, said.getvalue(), told.getvalue())


def run_alone(*arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120, input=given)


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.01)


def draw(path: Path, seed: int = 0, size: tuple[int, int] = (64, 96)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path)
    return path


def lines(output: Path, name: str = "manifest-00000-of-00001.jsonl") -> list[dict[str, Any]]:
    """Of a manifest, the frames'; a torn last one is passed over, as a reader beside a run has to."""
    path = output / name
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [json.loads(line) for line in whole.splitlines()[1:]]


def check_masks(output: Path, folder: Path, model: Path, count: int = 12) -> None:
    segmenter = Segmenter.load(model)
    found = sorted(output.rglob("*.png"))
    assert len(found) == count
    for mask in found:
        frame = codecs.read_frame(folder / mask.relative_to(output))
        assert (np.asarray(Image.open(mask)) == segmenter.segment(frame)).all()


def test_the_shards_together_are_the_whole(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    for index in range(3):
        done = run(folder, "-o", out, "--model", model, "--shard", f"{index}/3")
        assert done.returncode == 0, done.stderr
        assert f"shard {index}/3: " in done.stdout
    check_masks(out, folder, model)
    by_shard = [[line["mask"] for line in lines(out, f"manifest-0000{i}-of-00003.jsonl")] for i in range(3)]
    assert sorted(chain.from_iterable(by_shard)) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*.png")
    )
    assert sorted(path.name for path in out.glob("manifest*")) == [f"manifest-0000{i}-of-00003.jsonl" for i in range(3)]


def test_a_line_tells_what_the_mask_is(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    assert run(folder / "bonn", "-o", out, "--model", model, "--manifest").returncode == 0
    line = next(line for line in lines(out) if line["mask"] == "0002.png")
    mask = np.asarray(Image.open(out / "0002.png"))
    assert line["frame"] == str(folder / "bonn" / "0002.png")
    assert (line["width"], line["height"], line["provider"]) == (96, 64, "cpu")
    counts = np.bincount(mask.ravel(), minlength=categories.COUNT)
    assert line["pixels"] == dict(zip(categories.NAMES, counts.tolist(), strict=True))
    assert line["bytes"] == (out / "0002.png").stat().st_size
    assert set(line["timings_ms"]) == {"decode", "queue", "infer", "encode"}
    header = json.loads((out / "manifest-00000-of-00001.jsonl").read_text().splitlines()[0])
    assert (header["model"], header["version"]) == ("toy-fp32", Segmenter.load(model).version)


def test_without_a_manifest_there_are_masks_alone(folder: Path, model: Path, tmp_path: Path) -> None:
    done = run_alone(folder, "-o", tmp_path / "masks", "--model", model)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"12 masks in {tmp_path / 'masks'}, by toy-fp32 on cpu\n"
    check_masks(tmp_path / "masks", folder, model)
    assert not list((tmp_path / "masks").rglob("*.jsonl"))


def test_without_a_manifest_the_first_broken_frame_stops_the_run(folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "bonn" / "0001.png").write_bytes(b"torn")
    done = run(folder, "-o", tmp_path / "masks", "--model", model)
    assert done.returncode == 2
    assert done.stderr.startswith(f"runtime segment: {folder / 'bonn' / '0001.png'}: not an image")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_done_is_not_done_again(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    arguments = (folder, "-o", out, "--model", model, "--manifest")
    run(*arguments)
    lost, cut, unpromised = out / "aachen/0000.png", out / "bonn/0001.png", out / "cologne/0002.png"
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:20])
    path = out / "manifest-00000-of-00001.jsonl"
    path.write_text("".join(x for x in path.read_text().splitlines(True) if '"cologne/0002.png"' not in x))
    before = {mask: mask.stat().st_mtime_ns for mask in out.rglob("*.png") if mask not in (cut, unpromised)}
    draw(folder / "aachen" / "new.png", 99)
    done = run(*arguments)
    assert "13 frames, 9 done before, 4 done now, 0 broken" in done.stdout
    assert {mask: mask.stat().st_mtime_ns for mask in before} == before
    check_masks(out, folder, model, 13)
    assert "13 done before, 0 done now" in run(*arguments).stdout
    assert "0 done before, 13 done now" in run(*arguments, "--overwrite").stdout


def test_another_model_is_refused(folder: Path, toy_file: Callable[..., Path], tmp_path: Path) -> None:
    out, first = tmp_path / "masks", toy_file()
    assert run(folder, "-o", out, "--model", first, "--shard", "0/2").returncode == 0
    mine = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    done = run(folder, "-o", out, "--model", toy_file("other-fp32.onnx"), "--shard", "0/2")
    assert done.returncode == 2
    assert "is of toy-fp32 (SHA-256" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == mine


def test_a_broken_frame_is_noted_and_tried_again_next_time(folder: Path, model: Path, tmp_path: Path) -> None:
    out, torn = tmp_path / "masks", folder / "bonn" / "0001.png"
    whole = torn.read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    arguments = (folder, "-o", out, "--model", model, "--manifest")
    done = run(*arguments)
    assert done.returncode == 0
    assert "12 frames, 0 done before, 11 done now, 1 broken" in done.stdout.splitlines()[-1]
    (line,) = (line for line in lines(out) if "error" in line)
    assert (line["frame"], line["mask"]) == (str(torn), "bonn/0001.png")
    assert "truncated" in line["error"]
    assert not (out / "bonn/0001.png").exists()

    strict = run(*arguments, "--strict")
    assert strict.returncode == 2
    assert "1 of 12 frames are broken" in strict.stderr
    torn.write_bytes(whole)
    assert "11 done before, 1 done now, 0 broken" in run(*arguments, "--strict").stdout
    check_masks(out, folder, model)


def test_where_all_frames_are_broken_the_run_fails(tmp_path: Path, model: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"absent{i}.jpg\n" for i in range(3000)))
    done = run("--listing", tmp_path / "list.txt", "-o", tmp_path / "out", "--model", model)
    assert done.returncode == 2
    assert "the first 100 of 3000 frames all failed: " in done.stderr
    assert "absent" in done.stderr
    assert "No such file" in done.stderr
    assert len(lines(tmp_path / "out")) == 100
    (tmp_path / "list.txt").write_text("absent.jpg\n")
    done = run("--listing", tmp_path / "list.txt", "-o", tmp_path / "out2", "--model", model)
    assert (done.returncode, "the only frame failed" in done.stderr) == (2, True)


def test_masks_that_cannot_be_written_end_the_run(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    out.mkdir()
    (out / "bonn").write_text("in the way")
    done = run(folder, "-o", out, "--model", model, "--manifest")
    assert done.returncode == 2
    assert "bonn can't be made a folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_listing_is_read_from_standard_input(folder: Path, model: Path, tmp_path: Path) -> None:
    given = "\ufeffaachen/0000.png\r\naachen/\n\nbonn/0000.png\r\naachen/0000.png"
    done = run_alone("--listing", "-", "--root", folder, "-o", tmp_path / "masks", "--model", model, given=given)
    assert done.returncode == 0, done.stderr
    check_masks(tmp_path / "masks", folder, model, 2)


def test_names_that_are_no_text_come_through(folder: Path, model: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"stra\xdfe.png")
    (folder / "bonn" / "0000.png").rename(folder / name)
    (tmp_path / "list.txt").write_bytes(b"frames/" + os.fsencode(name) + b"\n")
    done = run_alone("--listing", tmp_path / "list.txt", "-o", tmp_path / "masks", "--model", model)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "masks" / "frames").iterdir()] == [name]
    assert "1 done before" in run("--listing", tmp_path / "list.txt", "-o", tmp_path / "masks", "--model", model).stdout


def test_a_process_that_is_killed_at_any_moment_leaves_nothing_half(model: Path, tmp_path: Path) -> None:
    folder, out, seeded = tmp_path / "frames", tmp_path / "masks", random.Random(0)
    for seed in range(40):
        draw(folder / f"{seed:02d}.png", seed, (256, 384))
    # However fast it is, it does not come to an end.
    os.mkfifo(folder / "blocked.png")
    (folder / "list.txt").write_text("\n".join(["blocked.png", *(f"{seed:02d}.png" for seed in range(40))]))
    arguments = ("--listing", folder / "list.txt", "-o", out, "--model", model)
    for _ in range(4):
        there = len(lines(out))
        with started(*arguments) as process:
            wait_until(lambda there=there: len(lines(out)) > there or there == 40, process)
            time.sleep(seeded.uniform(0, 0.05))
            process.kill()
            assert process.wait() == -signal.SIGKILL
        for mask in out.glob("*.png"):
            assert codecs.decode_mask(mask.read_bytes()).shape == (256, 384)
        noted = [line["mask"] for line in lines(out)]
        assert len(noted) == len(set(noted)), "nothing that was noted was done again"
    (folder / "blocked.png").unlink()
    draw(folder / "blocked.png", 40, (256, 384))
    before = len(lines(out))
    assert f"41 frames, {before} done before, {41 - before} done now, 0 broken" in run(*arguments).stdout
    check_masks(out, folder, model, 41)
    assert not list(out.glob(".*"))


def blocked(tmp_path: Path, folder: Path) -> Path:
    """A listing of frames whose first never comes: a run over it does the others and waits."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "list.txt").write_text("\n".join(["pipe.png", *map(str, sorted(folder.rglob("*.png")))]))
    return tmp_path / "list.txt"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_process_that_is_told_to_stop_says_so_and_how_far_it_came(
    folder: Path, model: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    arguments = ("--listing", blocked(tmp_path, folder), "-o", tmp_path / "masks", "--model", model)
    with started(*arguments) as process:
        wait_until(lambda: len(lines(tmp_path / "masks")) == 12, process)
        process.send_signal(number)
        said, told = process.communicate(timeout=30)
    assert (process.returncode, said) == (status, "")
    assert len(told.splitlines()) == 1
    if number == signal.SIGTERM:
        assert told == (
            "runtime segment: stopped by SIGTERM: shard 0/1: 13 frames, 0 done before, 12 done now, 0 broken; "
            "the same command goes on\n"
        )
    (tmp_path / "pipe.png").unlink()
    draw(tmp_path / "pipe.png")
    assert "12 done before, 1 done now" in run(*arguments).stdout


def test_a_process_that_is_told_to_stop_before_it_began_stops(model: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.txt")
    with (
        started("--listing", tmp_path / "list.txt", "-o", tmp_path / "masks", "--model", model) as process,
        # Opening a pipe to write waits for its reader: the process has come to the listing by then.
        (tmp_path / "list.txt").open("w"),
    ):
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (143, "runtime segment: stopped by SIGTERM\n")


def test_two_processes_never_work_on_one_shard(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    out.mkdir()
    with (out / "manifest-00000-of-00001.jsonl").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with started(folder, "-o", out, "--model", model, "--manifest") as process:
            assert process.stderr is not None
            assert process.stdout is not None
            assert "another process works on" in process.stderr.readline()
            assert not list(out.rglob("*.png"))
            fcntl.flock(held, fcntl.LOCK_UN)
            assert "12 done now" in process.stdout.readline()
            assert process.wait(timeout=30) == 0
    check_masks(out, folder, model)


def test_bad_input_is_one_line_and_status_2(folder: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "list.txt").write_text("s3://bucket/a.jpg\n")
    (tmp_path / "empty.txt").write_text("\n\n")
    for arguments, named in (
        ((folder, "--shard", "8/8"), "the last of 8 is 7/8"),
        ((folder, "--shard", "$(INDEX)/8"), "INDEX/COUNT"),
        ((), "name frames: files, folders or a --listing"),
        ((folder, "--root", folder), "--root is about the paths of a --listing"),
        ((folder, "--overwrite"), "--overwrite goes with"),
        ((folder, "--strict"), "--strict goes with"),
        (("--listing", tmp_path / "absent.txt"), "absent.txt can't be read: No such file"),
        (("--listing", tmp_path), "can't be read: Is a directory"),
        (("--listing", tmp_path / "list.txt"), "line 1 of the listing, 's3://bucket/a.jpg': s3:// is not read"),
        (("--listing", tmp_path / "empty.txt"), "no frame to segment"),
    ):
        done = run(*arguments, "-o", out, "--model", model)
        assert done.returncode == 2, (arguments, done)
        assert named in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert not out.exists()


def test_an_empty_shard_is_done_at_once(folder: Path, model: Path, tmp_path: Path) -> None:
    said = [
        run(folder / "bonn" / "0000.png", "-o", tmp_path / "out", "--model", model, "--shard", f"{i}/2") for i in (0, 1)
    ]
    assert [done.returncode for done in said] == [0, 0]
    assert sorted("1 done now" in done.stdout for done in said) == [False, True]
