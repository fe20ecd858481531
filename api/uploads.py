"""Bodies: read within their limits, and the image found in them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from api.errors import BodyLate, BodyTooLarge, MediaTypeUnsupported, RequestMalformed, Unavailable
from api.settings import Settings
from runtime.errors import DeadlinePassed, Stopping

MULTIPART = "multipart/form-data"

MEDIA_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "application/x-npy",
    MULTIPART,
    "application/octet-stream",
    "application/x-www-form-urlencoded",  # what `curl --data-binary` declares, whatever it sends
    "",
)
"""What a body may be declared as. Beyond multipart the declaration changes nothing: the bytes tell what they are."""

MAX_PARTS = 64
"""Of a form: a file, and whatever else a page sends along. Millions of empty parts would keep a thread busy."""


def media_type(request: Request) -> str:
    """The declared media type without its parameters, "" if there is none.

    Raises:
        MediaTypeUnsupported: it is not handled, or the body is compressed on top.
    """
    declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if declared not in MEDIA_TYPES:
        raise MediaTypeUnsupported(
            f"'{declared}' is not handled: send image/jpeg, image/png, image/webp, image/bmp, image/tiff, "
            f"application/x-npy or {MULTIPART}"
        )
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        raise MediaTypeUnsupported(f"Content-Encoding '{coding}' is not handled: images are compressed already")
    return declared


class Buffered:
    """The bytes of all bodies that are being read: a budget, so that senders can't fill the memory together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._readings: set[asyncio.Timeout] = set()
        self._stopped = False

    def take(self, size: int) -> None:
        """Hold so many more.

        Raises:
            Unavailable: that would be more than there may be.
        """
        if self._held + size > self._limit:
            raise Unavailable(f"the bodies that are being read have {self._limit} bytes together, which is the limit")
        self._held += size

    def give_back(self, size: int) -> None:
        """Hold so many less."""
        self._held -= size

    @asynccontextmanager
    async def reading(self, seconds: float) -> AsyncIterator[None]:
        """While a body is read.

        Raises:
            TimeoutError: it took longer.
            Stopping: the server stops, and what has not arrived is not waited for.
        """
        try:
            async with asyncio.timeout(seconds) as timeout:
                self._readings.add(timeout)
                try:
                    yield
                finally:
                    self._readings.discard(timeout)
        except TimeoutError:
            if self._stopped:
                raise Stopping("the server is stopping") from None
            raise

    def stop_reading(self) -> None:
        """End what is being read: the server stops. Belongs to the event loop's thread."""
        self._stopped = True
        for timeout in self._readings:
            timeout.reschedule(asyncio.get_running_loop().time())


async def read_body(request: Request, settings: Settings, buffered: Buffered, deadline: float | None = None) -> bytes:
    """The whole body.

    Args:
        request: whose.
        settings: the limits.
        buffered: what all bodies hold together.
        deadline: the request's, by `time.monotonic`.

    Raises:
        BodyTooLarge: over the limit by its Content-Length, or by what came; no more than the limit is ever held.
        BodyLate: it was not complete in time.
        DeadlinePassed: nor before the deadline.
        Stopping: nor before the server was told to stop.
        Unavailable: too many bytes are being read.
        starlette.requests.ClientDisconnect: the client left.
    """
    limit = settings.max_body_bytes
    to_deadline = math.inf if deadline is None else deadline - monotonic()
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise BodyTooLarge(f"the body has {length} bytes, the limit is {limit}")
    chunks, size = [], 0
    try:
        async with buffered.reading(min(settings.body_timeout_s, to_deadline)):
            async for chunk in request.stream():
                if size + len(chunk) > limit:
                    raise BodyTooLarge(f"the body has more than {limit} bytes, which is the limit")
                buffered.take(len(chunk))
                size += len(chunk)
                chunks.append(chunk)
    except TimeoutError:
        if to_deadline < settings.body_timeout_s:
            raise DeadlinePassed("the deadline passed before the body had arrived") from None
        raise BodyLate(f"the body did not arrive within {settings.body_timeout_s:g} s") from None
    finally:
        buffered.give_back(size)
    return b"".join(chunks)


@dataclass(frozen=True)
class _File:
    """A part of a form that is a file."""

    field: bytes
    name: bytes
    """The file's, not the field's."""
    data: bytearray


class _Files:
    """Gathers the files of a form while the parser walks through it: their bytes, in memory.

    Starlette's own form parser spools to disk, which a container with a read-only file system does not have.
    """

    def __init__(self) -> None:
        self.files: list[_File] = []
        self.ended = False
        self._parts = 0
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._into: bytearray | None = None

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise RequestMalformed(f"the form has more than {MAX_PARTS} parts")
        self._disposition, self._into = b"", None

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        # RFC 7578 forbids `filename*=`; some clients send it alone all the same.
        name = options.get(b"filename", b"*" if b"filename*=" in self._disposition.lower() else None)
        if name is not None:
            self._into = bytearray()
            self.files.append(_File(options.get(b"name", b""), name, self._into))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._into is not None:
            self._into.extend(memoryview(data)[start:end])

    def on_end(self) -> None:
        self.ended = True


def the_file(body: bytes, content_type: str) -> bytes:
    """The one file of a `multipart/form-data` body, whatever its field is called. Fields that are no files don't count.

    Args:
        body: all of it.
        content_type: the header, with its boundary.

    Raises:
        RequestMalformed: no boundary, a form that is broken or cut off, no file, or several.
    """
    files = _files(body, content_type)
    if len(files) != 1:
        raise RequestMalformed(f"the form has {len(files) or 'no'} files: send exactly one, with a file name")
    return bytes(files[0].data)


def files_of(body: bytes, content_type: str, fields: tuple[str, ...]) -> list[bytes]:
    """The files of a `multipart/form-data` body that are in these fields, in the fields' order. Others don't count.

    Args:
        body: all of it.
        content_type: the header, with its boundary.
        fields: the fields' names, ASCII.

    Raises:
        RequestMalformed: no boundary, a form that is broken or cut off, or a field without a file or with several.
    """
    files = _files(body, content_type)
    found = []
    for field in fields:
        its = [file.data for file in files if file.field == field.encode()]
        if len(its) != 1:
            wanted = " and ".join(f"'{name}'" for name in fields)
            raise RequestMalformed(
                f"the form has {len(its) or 'no'} files in the field '{field}': send exactly one in each of {wanted}, "
                "with a file name"
            )
        found.append(bytes(its[0]))
    return found


def _files(body: bytes, content_type: str) -> list[_File]:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise RequestMalformed(f"the Content-Type {MULTIPART} names no boundary")
    form = _Files()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.on_part_begin,
                "on_header_field": form.on_header_field,
                "on_header_value": form.on_header_value,
                "on_header_end": form.on_header_end,
                "on_headers_finished": form.on_headers_finished,
                "on_part_data": form.on_part_data,
                "on_end": form.on_end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise RequestMalformed(f"the multipart body is broken: {error}") from error
    if not form.ended:
        raise RequestMalformed("the multipart body ends before its closing boundary")
    # A browser sends an input that nobody filled as a file without name and bytes.
    return [file for file in form.files if file.name or file.data]
