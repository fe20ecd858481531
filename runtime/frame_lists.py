"""Which frames a bulk run takes, and what their masks are called.

A mask keeps the frame's path below the folder that was named (or below the listing's root), with `.png` in place of the
image's ending: cities may have frames of one name. What lies below no such root keeps its whole path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from runtime import codecs
from runtime.errors import DataInvalid
from runtime.shards import Shard

MAX_NAME = 249
"""Bytes of a mask's file name: file systems take 255, and while it is written it has `.` and `.part` around it."""

_URL = re.compile(r"https?://", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """A frame that is to be segmented."""

    source: str
    """Path, or http or https URL, query included."""
    mask: str
    """Path of its mask below the output folder, with slashes."""

    @property
    def shown(self) -> str:
        """The source as it may be written down: the query and the user of a URL can be somebody's key."""
        return without_secrets(self.source) if is_url(self.source) else self.source


def is_url(source: str) -> bool:
    """Whether a source is fetched, not opened."""
    return _URL.match(source) is not None


def without_secrets(url: str) -> str:
    """Scheme, host and path of a URL; of anything, for what is no URL is told of, too."""
    scheme, _, rest = re.split("[?#]", url, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def from_paths(paths: Iterable[Path], output: Path) -> Iterator[Listed]:
    """The files that are named, and the images in the folders that are named, at any depth and in order.

    Args:
        paths: of files and folders.
        output: of the masks: where it lies in one of the folders, it is passed over.

    Raises:
        DataInvalid: something is missing or can't be read, or a folder holds no image.
    """
    for path in paths:
        if path.is_dir():
            is_empty = True
            for file in _images(path, output):
                is_empty = False
                yield Listed(str(file), mask_of(file.relative_to(path).as_posix()))
            if is_empty:
                raise DataInvalid(f"{path} holds no image ({', '.join(codecs.SUFFIXES)})")
        elif path.is_file():
            yield Listed(str(path), mask_of(path.name))
        else:
            raise DataInvalid(f"there is no file {path}")


def _images(folder: Path, output: Path) -> Iterator[Path]:
    """Links to folders are followed: data sets are often put together of them. None is walked twice."""

    def refuse(error: OSError) -> None:
        raise DataInvalid(f"{error.filename} can't be read: {error.strerror}")

    masks = os.path.realpath(output)
    walked: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(root)
        if real in walked or (real == masks and Path(root) != folder):
            folders.clear()
            continue
        walked.add(real)
        folders.sort()
        yield from (Path(root, name) for name in sorted(files) if name.lower().endswith(codecs.SUFFIXES))


def from_lines(lines: Iterable[str], root: str) -> Iterator[Listed]:
    """The frames of a listing: a path or a URL a line.

    White space around a line is no part of it, and empty lines and those that end in a slash (folders, as buckets list
    them) are passed over.

    Args:
        lines: of the listing.
        root: folder or URL that relative paths are below.

    Raises:
        DataInvalid: a line that can't be a frame; the message has its number.
    """
    name = _namer(root)
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.endswith("/"):
            continue
        try:
            yield name(line)
        except DataInvalid as error:
            raise DataInvalid(f"line {number} of the listing, '{_short(line)}': {error}") from error


def _namer(root: str) -> Callable[[str], Listed]:
    """From a line to its frame; DataInvalid says why it is none."""
    base = root.rstrip("/") + "/" if is_url(root) else f"{Path(root).absolute().as_posix().rstrip('/')}/"

    def name(line: str) -> Listed:
        other = _OTHER_SCHEME.match(line)
        if "\0" in line or (other and not is_url(line)):
            said = "a path has no NUL" if other is None else f"{other[1]}:// is not read"
            raise DataInvalid(f"{said}; paths (a mounted bucket's, too) and https:// URLs are")
        if is_url(line):
            return Listed(line, mask_of(_url_path(line, base)))
        if is_url(base):
            source = base + quote(line.lstrip("/"))
            return Listed(source, mask_of(_url_path(source, base)))
        path = os.path.normpath(Path(base, line))
        below = path.replace(os.sep, "/").removeprefix(base)
        return Listed(path, mask_of(below.removeprefix(Path(path).anchor).lstrip("/")))

    return name


def _url_path(url: str, base: str) -> str:
    """What a URL's path has below `base`; else its host and path."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise DataInvalid("the URL has no host")
    whole = without_secrets(url)
    is_below = is_url(base) and whole.startswith(base)
    path = unquote(whole.removeprefix(base) if is_below else f"{host}{urlsplit(url).path}")
    steps = [step for step in path.split("/") if step not in ("", ".")]
    if ".." in steps or "\\" in path or "\0" in path or (len(steps) < 2 and not is_below):
        raise DataInvalid("the URL's path is empty, or has '..', a backslash or NUL")
    return "/".join(steps)


def mask_of(path: str) -> str:
    """The path of a frame's mask: `aachen/street.jpg` to `aachen/street.png`.

    Raises:
        DataInvalid: no file could be called so.
    """
    stem, dot, ending = path.rpartition(".")
    mask = f"{stem if f'{dot}{ending}'.lower() in codecs.SUFFIXES else path}.png"
    if any(len(os.fsencode(part)) > MAX_NAME for part in mask.split("/")):
        raise DataInvalid(f"{_short(path)}: a name of more than {MAX_NAME} bytes")
    return mask


def choose(listed: Iterable[Listed], output: Path, shard: Shard) -> list[Listed]:
    """A shard's frames, each once, in the order in which they come.

    Raises:
        DataInvalid: there is no frame at all, two would have one mask, or a mask would overwrite a frame.
    """
    chosen: dict[str, Listed] = {}
    in_output: set[str] = set()
    base = output.resolve()
    # Links are followed once a folder, not once a frame.
    below_output = lru_cache(maxsize=100_000)(partial(_below, base=base))
    is_empty = True
    for frame in listed:
        is_empty = False
        if not is_url(frame.source):
            folder, name = os.path.split(frame.source)
            below = below_output(folder)
            if below is not None:
                in_output.add((below / name).as_posix())
        if not shard.has(frame.mask):
            continue
        other = chosen.setdefault(frame.mask, frame)
        if other.source != frame.source:
            called = frame.mask.removesuffix(".png")
            raise DataInvalid(
                f"{other.shown} and {frame.shown} are both called {called}: their masks would overwrite each other"
            )
    if is_empty:
        raise DataInvalid("there is no frame to segment: name files, folders or a --listing that has some")
    for mask in in_output.intersection(chosen):
        raise DataInvalid(f"{output / mask} is one of the frames: its mask would overwrite it, give another -o")
    return list(chosen.values())


def _below(folder: str, base: Path) -> Path | None:
    """Where a folder lies below `base`, None where it does not."""
    real = Path(folder).resolve()
    return real.relative_to(base) if real.is_relative_to(base) else None


def _short(line: str) -> str:
    shown = without_secrets(line) if is_url(line) else line
    return shown if len(shown) <= 100 else f"{shown[:97]}..."
