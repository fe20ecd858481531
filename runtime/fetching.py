"""The bytes of a frame, from a file or over HTTP, within the limits and in a bounded time."""

from __future__ import annotations

import http.client
import random
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from runtime.codecs import Limits
from runtime.errors import FrameTooLarge, FrameUndecodable
from runtime.frame_lists import Listed, is_url

_CHUNK = 2**18
_TRY_AGAIN = frozenset({408, 425, 429})
"""Besides 5xx: what servers answer that want to be asked later (RFC 9110, 8470, 6585)."""


@dataclass(frozen=True)
class Patience:
    """How long a URL is waited for."""

    attempts: int = 3
    backoff_s: float = 1.0
    """Before the second attempt, doubled before each further one; up to half as much is added by chance, so that all
    shards don't come back at once."""
    timeout_s: float = 10.0
    """Of a connection, and of each wait for more of the body."""
    total_s: float = 60.0
    """Of one attempt: a server that sends a byte every few seconds would hold a reader for ever."""


class _Passing(Exception):
    """What the next attempt may not meet again."""


def read(frame: Listed, limits: Limits, patience: Patience) -> bytes:
    """A frame's bytes, undecoded.

    Raises:
        FrameUndecodable: there is no such file or URL, or it can't be had.
        FrameTooLarge: more bytes than the limit; no more than that are read.
    """
    data = _fetch(frame, limits, patience) if is_url(frame.source) else _read_file(frame, limits)
    if len(data) > limits.max_bytes:
        raise FrameTooLarge(f"the image has more than {limits.max_bytes} bytes, which is the limit")
    return data


def _read_file(frame: Listed, limits: Limits) -> bytes:
    try:
        with Path(frame.source).open("rb") as file:
            return file.read(limits.max_bytes + 1)
    except OSError as error:
        raise FrameUndecodable(error.strerror or str(error)) from error


def _fetch(frame: Listed, limits: Limits, patience: Patience) -> bytes:
    reason = ""
    for attempt in range(patience.attempts):
        if attempt:
            # Not for secrecy.
            time.sleep(patience.backoff_s * 2 ** (attempt - 1) * random.uniform(1, 1.5))
        try:
            return _get(frame.source, limits, patience)
        except urllib.error.HTTPError as error:
            # Not its own words: they may hold the URL, and that a key.
            reason = f"{error.code} {http.client.responses.get(error.code, '')}".strip()
            error.close()
            if error.code < 500 and error.code not in _TRY_AGAIN:
                raise FrameUndecodable(f"the server answers {reason}") from None
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (http.client.InvalidURL, ValueError):  # as above
            raise FrameUndecodable("it is no URL that can be asked for") from None
        except (OSError, http.client.HTTPException, _Passing) as error:
            reason = str(error) or type(error).__name__
    raise FrameUndecodable(f"not to be had in {patience.attempts} attempts: {reason}")


def _get(url: str, limits: Limits, patience: Patience) -> bytes:
    """At most one byte more than the limit."""
    give_up = time.monotonic() + patience.total_s
    request = urllib.request.Request(url, headers={"User-Agent": "roadmask"})
    data = bytearray()
    with urllib.request.urlopen(request, timeout=patience.timeout_s) as answer:
        while len(data) <= limits.max_bytes and (chunk := answer.read1(_CHUNK)):
            data += chunk
            if time.monotonic() > give_up:
                raise _Passing(f"it took longer than {patience.total_s:.0f} s")
        promised = answer.headers.get("Content-Length", "")
    if promised.isdecimal() and len(data) < min(int(promised), limits.max_bytes + 1):
        raise _Passing(f"the connection ended after {len(data)} of {promised} bytes")
    return bytes(data)
