from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest

from api import decoders
from runtime.codecs import Limits
from runtime.errors import FrameUndecodable

PIXELS = np.arange(2 * 10 * 3, dtype=np.uint8).reshape(2, 10, 3)


def npy(header: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + PIXELS.tobytes()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "shape",
    ["(2L, 10L, 3L)", "(2, 10 L, 3)", "(2, 10 #\nL, 3)", "(2, 0x0aL, 3)", "(2, 10if 1else 0, 3)", "(2, '\\d', 3)"],
)
def test_a_header_that_python_would_warn_of_is_refused_without_a_warning(
    shape: str, version: int, recwarn: pytest.WarningsRecorder
) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n"
    warnings.simplefilter("always")  # recwarn puts it back
    with pytest.raises(FrameUndecodable, match="header is broken"):
        decoders.decode(npy(header, version), Limits(), lambda _pixels: None)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("version", [1, 2])
def test_the_headers_that_numpy_and_others_write_are_read(version: int) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, PIXELS, (version, 0))
    compact = npy("{'shape':(2,10,3),'fortran_order':False,'descr':'|u1'}", version)
    for data in (buffer.getvalue(), compact):
        assert (decoders.decode(data, Limits(), lambda _pixels: None) == PIXELS).all()
