"""Tensors as JSON, without a Python object for each number: lists of 32 MiB of text would take gigabytes."""

from __future__ import annotations

import json
import re
from typing import Any

from api.errors import RequestMalformed

MAX_REST = 64 * 2**10
"""Bytes of JSON beside the numbers: names, shapes and parameters. Triton's clients send a few hundred."""

CHUNK = 2**20
"""Bytes of numbers that are made Python objects at a time."""

_TOKEN = re.compile(
    rb'"data"\s*+:\s*+(?P<list>\[[^"{}]*+)'  # a list of anything but texts and objects, up to whatever comes after it
    rb'|"(?:[^"\\]++|\\.)*+"?',  # any other text, so that nothing inside of one is taken for a key
    re.DOTALL,
)
"""No part of it gives back what it has matched: the search takes as long as the text, whatever an enemy sends."""

_ALLOWED = b"0123456789,[] \t\r\n"
_BRACKETS_TO_SPACES = bytes.maketrans(b"[]", b"  ")


def load(text: bytes, size: int) -> tuple[dict[str, Any], memoryview | None]:
    """A JSON object, and apart from it the list under its one key `data`, in whose place there is [].

    Args:
        text: UTF-8, and whatever follows it.
        size: the bytes of it that are the object.

    Returns:
        The object, and the list's text for `whole_bytes`; None if no list is called `data`.

    Raises:
        RequestMalformed: no JSON, no object, several lists of data, or too much beside them.
    """
    rest, found, kept_from = bytearray(), [], 0
    for token in _TOKEN.finditer(text, 0, size):
        first, end = token.span("list")
        last = text.rfind(b"]", first, end) + 1 if first >= 0 else 0
        if last:
            rest += text[kept_from:first] + b"[]"
            found.append(memoryview(text)[first:last])
            kept_from = last
        _check_size(len(rest) + max(0, token.start() - kept_from))
    _check_size(len(rest) + size - kept_from)
    rest += text[kept_from:size]
    if len(found) > 1:
        raise RequestMalformed(f"the request has {len(found)} lists of data: the model has one input")
    return load_small(rest), found[0] if found else None


def load_small(text: bytes | bytearray) -> dict[str, Any]:
    """A JSON object of at most MAX_REST bytes.

    Raises:
        RequestMalformed: it is longer, no JSON, or no object.
    """
    _check_size(len(text))
    try:
        loaded = json.loads(text.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise RequestMalformed("the JSON is nested too deeply") from None
    except ValueError as error:
        raise RequestMalformed(f"the request is not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise RequestMalformed("the request has to be a JSON object")
    return loaded


def whole_bytes(text: memoryview, count: int) -> bytearray:
    """The numbers of a list, flat or nested, in the order in which they stand.

    Args:
        text: the list as JSON.
        count: how many there have to be.

    Raises:
        RequestMalformed: another count, or something that is no whole number from 0 to 255.
    """
    numbers, first = bytearray(), 0
    while first < len(text):
        # Cut at commas, so that no number is; far from any comma there is at most one number.
        comma = bytes(text[first + CHUNK : first + 2 * CHUNK]).find(b",")
        last = first + CHUNK + comma if comma >= 0 else min(len(text), first + 2 * CHUNK)
        if comma < 0 and last < len(text):
            raise RequestMalformed(f"the data have no comma within {CHUNK} bytes: they are not a list of numbers")
        more = _chunk(bytes(text[first:last]))
        if first and not more:
            raise _not_a_list()
        numbers += more
        if len(numbers) > count:
            break
        first = last + 1
    if len(numbers) != count:
        there = f"more than {count}" if len(numbers) > count else len(numbers)
        raise RequestMalformed(f"the shape takes {count} numbers, the data have {there}")
    _check_brackets(text)
    return numbers


def _chunk(text: bytes) -> bytes:
    strange = text.translate(None, _ALLOWED)
    if strange:
        raise RequestMalformed(
            f"the data hold '{strange[:1].decode('latin-1')}': they have to be whole numbers from 0 to 255"
        )
    try:
        return bytes(json.loads(b"[" + text.translate(_BRACKETS_TO_SPACES) + b"]"))
    except json.JSONDecodeError:
        raise _not_a_list() from None
    except ValueError:
        raise RequestMalformed("the data hold a number above 255: they are bytes, 0 to 255") from None


def _check_brackets(text: memoryview) -> None:
    """Refuse what is no list after all; which numbers share an inner list is not looked at."""
    opened = closed = 0
    for first in range(0, len(text), CHUNK):
        part = bytes(text[first : first + CHUNK])
        opened, closed = opened + part.count(b"["), closed + part.count(b"]")
    if opened != closed:
        raise _not_a_list()


def _not_a_list() -> RequestMalformed:
    return RequestMalformed("the data are not a JSON list of numbers, flat or nested")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_size(size: int) -> None:
    if size > MAX_REST:
        raise RequestMalformed(f"the request has more than {MAX_REST} bytes of JSON beside its list of data")
