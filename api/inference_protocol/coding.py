"""Content codings, gzip and deflate, of requests and answers."""

from __future__ import annotations

import gzip
import zlib

from starlette.datastructures import Headers

from api.errors import BodyTooLarge, MediaTypeUnsupported, RequestMalformed

CODINGS = ("gzip", "deflate")
"""What is handled, the preferred one first. `deflate` is zlib's format: RFC 9110, section 8.4.1.2."""

LEVEL = 1
"""Of compression. A mask is large areas of one id: level 1 makes a 46th of a street's, in a third of the time in which
level 6, the default, makes an 86th."""


def of_request(headers: Headers) -> str:
    """The coding of a request's body, "" for none.

    Raises:
        MediaTypeUnsupported: it is not handled.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return ""
    if coding not in CODINGS:
        raise MediaTypeUnsupported(f"Content-Encoding '{coding}' is not handled: use gzip, deflate or none")
    return coding


def of_answer(headers: Headers) -> str:
    """The coding that the client accepts best for an answer, "" for none."""
    best, best_quality = "", 0.0
    for part in ",".join(headers.getlist("accept-encoding")).split(","):
        name, _, parameter = part.partition(";")
        quality = _quality(parameter)
        if name.strip().lower() in CODINGS and quality > best_quality:
            best, best_quality = name.strip().lower(), quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0


def inflate(body: bytes, coding: str, limit: int) -> bytes:
    """What was compressed.

    Args:
        body: all of it.
        coding: one of CODINGS.
        limit: bytes; no more than that is ever unpacked.

    Raises:
        RequestMalformed: it is broken, cut off, or followed by something else.
        BodyTooLarge: it unpacks to more than the limit.
    """
    unpacker = zlib.decompressobj(31 if coding == "gzip" else zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(body, limit)
        if not unpacker.eof and unpacker.decompress(unpacker.unconsumed_tail, 1):
            raise BodyTooLarge(f"the body unpacks to more than {limit} bytes, which is the limit")
    except zlib.error as error:
        raise RequestMalformed(f"the body is not {coding} as its Content-Encoding says: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        wrong = "goes on after its end" if unpacker.eof else "is cut off"
        raise RequestMalformed(f"the body is {coding} that {wrong}")
    return unpacked


def deflate(body: bytes, coding: str) -> bytes:
    """Compress, by one of CODINGS."""
    return gzip.compress(body, LEVEL, mtime=0) if coding == "gzip" else zlib.compress(body, LEVEL)
