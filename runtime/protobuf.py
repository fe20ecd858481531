"""Just enough of protobuf's encoding to look into a model file: serving does not depend on the package `onnx`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


class Part(NamedTuple):
    """One field of a message, and where it stands."""

    number: int
    """As the `.proto` file numbers it."""
    value: Any
    """An int, or the bytes as a memoryview: text, a message, packed or fixed-size numbers."""
    begin: int
    """Index of the tag's first byte in the message."""
    end: int
    """Index behind the value's last byte."""


def parts(message: memoryview) -> Iterator[Part]:
    """Each field in its order: https://protobuf.dev/programming-guides/encoding/.

    Raises:
        IndexError: the message ends within a field.
        KeyError: a kind of field that protobuf has not had since its second version.
    """
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield Part(tag >> 3, number, begin, at)
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        else:
            size = {_FIXED_64: 8, _FIXED_32: 4}[kind]
        if at + size > len(message):
            raise IndexError("the message ends within a field")
        yield Part(tag >> 3, message[at : at + size], begin, at + size)
        at += size


def message(number: int, content: bytes) -> bytes:
    """A field that holds a message (or text, or bytes)."""
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at an index, and the index behind it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])
