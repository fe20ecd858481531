"""Files that commands write."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import DataInvalid


def write(target: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        DataInvalid: it can't be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise DataInvalid(f"{target} can't be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
