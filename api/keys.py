"""Who may come in: API keys from a file, as `Authorization: Bearer KEY`."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from pathlib import Path
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import problem
from api.handshakes import refuse
from runtime.errors import RoadmaskError

logger = logging.getLogger(__name__)

MIN_LENGTH = 16
"""Of a key: 16 random characters of 64 have 96 bits, beyond guessing over a network."""

MAX_FILE_BYTES = 2**20

CHECK_EVERY_S = 2.0
"""How often the file is looked at, at most: a rotated secret works at once by anyone's clock."""

OPEN_PATHS = frozenset({"/v2/health/started", "/v2/health/ready", "/v2/health/live"})
"""Kubernetes' probes send no key, and learn nothing."""

_KEY = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may consist of, RFC 6750 section 2.1."""


class KeysInvalid(RoadmaskError):
    """The file of keys can't be read or holds something that is no key."""


class KeyFile:
    """The keys of a file, read again when it changes. Belongs to the event loop's thread."""

    def __init__(self, path: Path) -> None:
        """Reads it.

        Raises:
            KeysInvalid: it can't be read, holds no key, or one that is too short or could never be sent.
        """
        self._path = path
        self._stamp = _stamp(path)
        self._digests = _read(path)
        self._looked_at = monotonic()
        self._complaint = ""

    def accepts(self, key: str) -> bool:
        """Whether it is one of the keys. Takes as long whichever it is, and whether it is one."""
        self._look()
        digest = _digest(key)
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(known, digest)
        return found

    def _look(self) -> None:
        """Read the file if it changed; what can't be read leaves the old keys in place, and is told once."""
        now = monotonic()
        if now - self._looked_at < CHECK_EVERY_S:
            return
        self._looked_at = now
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._digests = _read(self._path)
        except KeysInvalid as error:
            if str(error) != self._complaint:
                logger.error("%s; the old keys go on working", error)
                self._complaint = str(error)
            return
        self._stamp, self._complaint = stamp, ""
        logger.info("%s was read again: %d keys", self._path, len(self._digests))


class Keys:
    """Middleware: 401 for whoever has no key, except on the paths of health.

    It belongs inside of CORS, which answers preflights by itself: browsers send no key with those.
    """

    def __init__(self, app: ASGIApp, keys: KeyFile) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        key = _presented(Headers(scope=scope))
        if key is not None and self._keys.accepts(key):
            await self._app(scope, receive, send)
            return
        wrong = "send the header 'Authorization: Bearer KEY'" if key is None else "this API key is not known here"
        answer = problem(scope["path"], 401, wrong, {"WWW-Authenticate": "Bearer"})
        await refuse(scope, receive, send, answer)


def _presented(headers: Headers) -> str | None:
    """The key of the one Authorization header; None if there is none, another scheme, or several."""
    sent = headers.getlist("authorization")
    if len(sent) != 1:
        return None
    scheme, _, key = sent[0].strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def _digest(key: str) -> bytes:
    """Of equal length for all keys: comparing takes as long for any two."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes when the file does, also where a secret is swapped by re-pointing a link."""
    try:
        stat = path.stat()
    except OSError as error:
        raise KeysInvalid(f"the file of API keys {path} can't be read: {error.strerror}") from error
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _read(path: Path) -> tuple[bytes, ...]:
    """The digests of a file's keys. No message holds any of its text."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeysInvalid(f"the file of API keys {path} can't be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise KeysInvalid(f"the file of API keys {path} has more than {MAX_FILE_BYTES} bytes: it must be another file")
    digests = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if len(key) < MIN_LENGTH:
            raise KeysInvalid(f"the API key in {path}, line {number}, is shorter than {MIN_LENGTH} characters")
        if not _KEY.fullmatch(key):
            raise KeysInvalid(f"the API key in {path}, line {number}, may hold letters, digits and -._~+/= alone")
        digests.append(_digest(key))
    if not digests:
        raise KeysInvalid(f"the file of API keys {path} holds no key: give one a line")
    return tuple(digests)
