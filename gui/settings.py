"""What the page can be told: by `ROADMASK_GUI_*` in the environment, or by a flag, which wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Settings:
    """Every setting of the page. The environment's name of `api` is `ROADMASK_GUI_API`, and so on."""

    api: str = "http://127.0.0.1:8000"
    """The API's address, without a slash at its end; `make serve` and the cluster's manifests name theirs."""
    host: str = "127.0.0.1"
    """Local alone, unless somebody decides to open it; a container sets 0.0.0.0."""
    port: int = 8080
    """0 takes a free one, which the line at the start names."""
    frames: Path | None = None
    """A folder whose images are offered as samples, beside the generated ones."""
    api_key_file: Path | None = None
    """Holds the key that the API asks for, on its first line; the key stays on the page's server."""

    @classmethod
    def read(cls, environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
        """The settings of an environment and of the flags that were given.

        Args:
            environment: as `os.environ`; an empty value counts as none.
            flags: field name to the flag's text, None where it was not given.

        Raises:
            ValueError: a value that makes no sense; one line that names the variable or flag, and what would do.
        """
        values: dict[str, object] = {}
        for name, reader in _READERS.items():
            flag = flags.get(name)
            variable = f"ROADMASK_GUI_{name.upper()}"
            text = environment.get(variable, "") if flag is None else flag
            if flag is None and not text:
                continue
            try:
                values[name] = reader(text)
            except ValueError as error:
                shown = variable if flag is None else f"--{name.replace('_', '-')}"
                raise ValueError(f"{shown} is '{text}': {error}") from error
        return cls(**values)  # type: ignore[arg-type]  # each reader gives its field's type

    def api_key(self) -> str | None:
        """The key of `api_key_file`; read anew each time, so that a rotated secret is taken up.

        Raises:
            OSError: the file can't be read any more.
        """
        if self.api_key_file is None:
            return None
        lines = self.api_key_file.read_text().splitlines()
        return lines[0].strip() if lines else ""


def _address(text: str) -> str:
    wanted = "give an address like http://127.0.0.1:8000"
    try:
        address = urlsplit(text)
        if address.scheme not in ("http", "https") or not address.hostname or address.port == 0:
            raise ValueError(wanted)
    except ValueError:
        raise ValueError(wanted) from None
    return text.rstrip("/")


def _host(text: str) -> str:
    if not text.strip():
        raise ValueError("give a host name or an address")
    return text.strip()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= 65535):
        raise ValueError("give a whole number from 0 to 65535")
    return int(text)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError("give a folder that is there")
    return Path(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("give a file that is there")
    return Path(text)


_READERS = {"api": _address, "host": _host, "port": _port, "frames": _folder, "api_key_file": _file}
