"""`python -m runtime segment`: frames to palette-PNG masks, a few by hand or millions on a cluster."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, TextIO

from runtime import frame_lists, model_files
from runtime.bulk import Bulk
from runtime.cli import hardware
from runtime.cli.progress import Progress
from runtime.cli.stopping import Signals
from runtime.commands import Parser
from runtime.errors import DataInvalid
from runtime.frame_lists import Listed
from runtime.manifest import Header, Manifest
from runtime.segmenter import Segmenter
from runtime.shards import Shard

DOES = "frames to palette-PNG masks"
EXAMPLE = "street.jpg folder_of_frames -o masks"

GIVE_UP_AFTER = 100
"""Frames that all fail before any succeeds: a wrong mount, links that have expired or a closed network would otherwise
take hours to fail for each of a million."""

_LOCK_POLL_S = 0.5


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument(
        "frames", nargs="*", type=Path, metavar="FRAME", help="image files, or folders of them at any depth"
    )
    command.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where FRAME.png go")
    command.add_argument("--model", default=model_files.DEFAULT, help="a name, a stem or a file (default %(default)s)")
    hardware.add_arguments(command)
    bulk = command.add_argument_group(
        "very many frames",
        "Any of the first three keeps a manifest in DIR: the same command again does what is not done yet, and a "
        "broken frame is noted and does not stop the run.",
    )
    bulk.add_argument("--shard", metavar="I/N", help="only part I of N, I from 0: for N processes at a time")
    bulk.add_argument("--listing", metavar="FILE", help="frames, a path or http(s) URL a line; - reads standard input")
    bulk.add_argument("--manifest", action="store_true", help="keep a manifest without --shard or --listing")
    bulk.add_argument(
        "--root", metavar="DIR", help="folder or URL that the listing's paths are below (default: the listing's folder)"
    )
    bulk.add_argument("--overwrite", action="store_true", help="do all frames again, whatever the manifest says")
    bulk.add_argument("--strict", action="store_true", help="exit with 2 where any frame is broken")


def run(arguments: argparse.Namespace) -> None:
    """A palette-PNG mask of each frame.

    Without a manifest a broken frame stops the run; the masks written before it stay.
    """
    with Signals("runtime segment") as signals:
        keeps_manifest = bool(arguments.shard or arguments.listing or arguments.manifest)
        _check(arguments, keeps_manifest=keeps_manifest)
        shard = Shard.parse(arguments.shard) if arguments.shard else Shard()
        listed = frame_lists.choose(_listed(arguments), arguments.output, shard)
        segmenter = hardware.load(arguments)
        try:
            arguments.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataInvalid(f"{arguments.output} can't be made a folder: {error.strerror}") from error
        if keeps_manifest:
            _segment_noting(arguments, shard, listed, segmenter, signals)
        else:
            _segment_all(arguments.output, listed, segmenter, signals)


def _check(arguments: argparse.Namespace, *, keeps_manifest: bool) -> None:
    if not arguments.frames and not arguments.listing:
        raise DataInvalid("name frames: files, folders or a --listing")
    if arguments.root is not None and not arguments.listing:
        raise DataInvalid("--root is about the paths of a --listing: give one")
    for option in ("overwrite", "strict"):
        if getattr(arguments, option) and not keeps_manifest:
            raise DataInvalid(f"--{option} goes with --shard, --listing or --manifest: without, all frames are done")


def _listed(arguments: argparse.Namespace) -> Iterator[Listed]:
    yield from frame_lists.from_paths(arguments.frames, arguments.output)
    if not arguments.listing:
        return
    is_stdin = arguments.listing == "-"
    root = arguments.root or ("." if is_stdin else str(Path(arguments.listing).parent))
    try:
        with nullcontext(_text(sys.stdin.buffer)) if is_stdin else _text(Path(arguments.listing).open("rb")) as lines:
            yield from frame_lists.from_lines(lines, root)
    except OSError as error:
        raise DataInvalid(f"--listing {arguments.listing} can't be read: {error.strerror}") from error


def _text(stream: BinaryIO) -> TextIO:
    """File names are bytes: those that are no UTF-8 come through."""
    return io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape")


def _segment_all(output: Path, listed: list[Listed], segmenter: Segmenter, signals: Signals) -> None:
    bulk = Bulk(segmenter, output)
    signals.stop = bulk.stop
    with Progress("segment", len(listed)) as progress, closing(bulk.run(listed)) as outcomes:
        for outcome in outcomes:
            if outcome.error is not None:
                raise DataInvalid(f"{outcome.frame.shown}: {outcome.error}")
            progress.advance()
    signals.check()
    print(f"{len(listed)} masks in {output}, by {segmenter.name} on {segmenter.provider}")


def _segment_noting(
    arguments: argparse.Namespace, shard: Shard, listed: list[Listed], segmenter: Segmenter, signals: Signals
) -> None:
    """With a manifest."""
    header = Header(version("roadmask"), segmenter.name, segmenter.version, str(shard))
    wait = _Wait()
    with Manifest(arguments.output, shard, header, overwrite=arguments.overwrite, wait=wait) as manifest:
        left = [frame for frame in listed if not _is_there(arguments.output, frame, manifest)]
        before = len(listed) - len(left)
        bulk = Bulk(segmenter, arguments.output)
        signals.stop = bulk.stop
        written, broken = _work(bulk, left, manifest, before, f"segment {shard}")
    told = f"shard {shard}: {len(listed)} frames, {before} done before, {written} done now, {broken} broken"
    signals.check(f": {told}; the same command goes on")
    print(f"{told}; masks and {manifest.path.name} in {arguments.output}, by {segmenter.name} on {segmenter.provider}")
    if broken and arguments.strict:
        raise DataInvalid(f"{broken} of {len(listed)} frames are broken: {manifest.path} tells which and why")


def _work(bulk: Bulk, left: list[Listed], manifest: Manifest, before: int, name: str) -> tuple[int, int]:
    """How many masks were written, and how many frames are broken.

    Raises:
        DataInvalid: none could be segmented, now or before.
    """
    written = broken = 0
    first = ""
    with Progress(name, len(left)) as progress, closing(bulk.run(left)) as outcomes:
        for outcome in outcomes:
            manifest.add(outcome.line)
            progress.advance(is_broken=outcome.error is not None)
            if outcome.error is None:
                written += 1
                continue
            broken += 1
            first = first or f"{outcome.frame.shown}: {outcome.error}"
            if not (written or before) and broken == min(GIVE_UP_AFTER, len(left)):
                which = "the only frame" if len(left) == 1 else f"the first {broken} of {len(left)} frames all"
                raise DataInvalid(f"{which} failed: {first}")
    return written, broken


def _is_there(output: Path, frame: Listed, manifest: Manifest) -> bool:
    """Whether a frame's mask was written whole by an earlier run, and is still."""
    size = manifest.done.get(frame.mask)
    if size is None:
        return False
    try:
        return (output / frame.mask).stat().st_size == size
    except OSError:
        return False


class _Wait:
    """For a manifest that another process holds: it ends, and this one goes on where it was."""

    def __init__(self) -> None:
        self._is_told = False

    def __call__(self, path: Path) -> None:
        if not self._is_told:
            print(f"runtime segment: another process works on {path}: waiting for its end", file=sys.stderr, flush=True)
        self._is_told = True
        time.sleep(_LOCK_POLL_S)
