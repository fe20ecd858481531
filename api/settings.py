"""What the server can be told: by `ROADMASK_*` in the environment, or by a flag, which wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from runtime import model_files, providers
from runtime.codecs import Limits
from runtime.errors import ProviderUnavailable

MAX_REQUEST_TIMEOUT_MS = 3_600_000
"""An hour: more is a slip of the finger."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


@dataclass(frozen=True)
class Settings:
    """Every setting of the server. The environment's name of `max_pixels` is `ROADMASK_MAX_PIXELS`, and so on."""

    host: str = "127.0.0.1"
    """Local alone, unless somebody decides to open it; a container sets 0.0.0.0."""
    port: int = 8000
    """0 takes a free one, which the line at the start names."""
    models: Path = model_files.SHIPPED
    """The folder of the model files; those that come with the package, if not told."""
    model: str = model_files.DEFAULT
    """The model that answers where a request names none: a name (`accurate`) or a file's stem (`accurate-fp32`)."""
    providers: tuple[str, ...] = ("cpu",)
    """Execution providers in order of preference, as `runtime.providers.parse` gives them. The CPU is everywhere;
    anything faster is a choice to be made: by hand, or by `auto`, which measures once what is fastest for the default
    model, and takes that for all."""
    cache: Path | None = None
    """Where the choice of `auto` is remembered: None takes the user's cache folder. In a container, a volume."""
    threads: int | None = None
    """Of one inference, on the CPU. None takes the cores that this process may use, a container's quota included."""
    inferences: int | None = None
    """At a time, on the same threads. None takes `runtime.scheduler.default_inferences`."""
    max_body_bytes: int = Limits.max_bytes
    """A request's body, multipart wrapping included: it is held in memory, so this bounds what a client can take."""
    max_pixels: int = Limits.max_pixels
    """Of a frame, told from its header: a few kilobytes of PNG can unpack to gigabytes."""
    body_timeout_s: float = 30.0
    """For the whole body to arrive. 32 MiB take 27 s at 10 Mbit/s; whoever is slower is no camera."""
    max_buffered_bytes: int = 256 * 2**20
    """Of all bodies that are being read at a time: slow senders can't fill the memory however many they are."""
    header_timeout_s: float = 10.0
    """For a request's line and headers to arrive, from the connection's or their own first byte on."""
    queue_size: int | None = None
    """Requests that are being worked on or wait for it; more are refused at once, because a late mask is worth less
    than a quick refusal. None takes `runtime.scheduler.default_places`."""
    request_timeout_ms: int | None = None
    """A request's deadline where it names none in `Request-Timeout-Ms`: inference that has not begun then never does.
    None waits: the queue is short."""
    batch_size: int = 1
    """Frames of one size in one inference, at most. More than 1 pays on hardware that one frame does not fill."""
    batch_delay_ms: float = 2.0
    """How long a frame waits for others to share its batch; of no effect where batch_size is 1."""
    confidence: bool = False
    """Whether masks come with how sure the model is of each pixel, and frames with what is wrong with them. Off, models
    are loaded with that output cut away, so that it costs nothing; on, each model file has to have it."""
    admin: bool = False
    """Whether `/v2/repository` may load and unload models: it lets whoever reaches the port change what is served."""
    api_keys_file: Path | None = None
    """One key a line, `#` comments; every route but health needs one of them. None asks for no key."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read answers in a browser, `*` for all; none, because most clients are no browsers."""
    websocket_origins: tuple[str, ...] = ()
    """Origins whose pages may open `/stream`, `*` for all. Clients that send no Origin are no browsers and may."""
    log_level: str = "info"
    """debug, info (a line for each request), warning or error; JSON lines on stderr."""
    otlp_endpoint: str | None = None
    """The OpenTelemetry collector that traces go to, from the standard OTEL_EXPORTER_OTLP_ENDPOINT; None makes none."""
    shutdown_timeout_s: int = 25
    """For what was admitted to finish after SIGTERM: within the 30 s that Kubernetes grants before it kills."""

    @classmethod
    def read(cls, environment: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Settings:
        """The settings of an environment and of the flags that were given.

        Args:
            environment: as `os.environ`; what is not named ROADMASK_* is left alone, an empty value counts as none.
            flags: field name to the flag's text, None where it was not given.

        Raises:
            ValueError: a value that makes no sense; one line that names the variable or flag, and what would do.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            flag = (flags or {}).get(field.name)
            variable = _VARIABLES.get(field.name, f"ROADMASK_{field.name.upper()}")
            text = environment.get(variable, "") if flag is None else flag
            if flag is None and (not text or _is_service_link(text)):
                continue
            shown = variable if flag is None else f"--{field.name.replace('_', '-')}"
            try:
                values[field.name] = _READERS[field.name](text)
            except (ValueError, ProviderUnavailable) as error:
                raise ValueError(f"{shown} is '{text}': {error}") from error
        return cls(**values)


_VARIABLES = {"otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Settings that the environment has a standard name for."""


def _is_service_link(text: str) -> bool:
    """Kubernetes gives every pod `ROADMASK_PORT=tcp://10.0.0.1:8000` where a Service is called roadmask."""
    return text.startswith(("tcp://", "udp://"))


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"give a whole number from {least} to {most}")

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 3600:
        raise ValueError("give seconds, more than 0 and at most 3600")
    return value


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise ValueError("give milliseconds from 0 to 1000")
    return value


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("give 1 for on or 0 for off")
    return text == "1"


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"'{origin}' is no origin: give https://host or https://host:port, comma separated, or *")
    return origins


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValueError("give the collector's URL, such as http://collector:4318")
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"give one of {', '.join(choices)}")
        return text.lower()

    return read


def _providers(text: str) -> tuple[str, ...]:
    return (providers.AUTO,) if text.strip().lower() == providers.AUTO else providers.parse(text)


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("give a name")
    return text


_READERS: dict[str, Callable[[str], Any]] = {
    "host": _name,
    "port": _whole(0, 65535),
    "models": Path,
    "model": _name,
    "providers": _providers,
    "cache": Path,
    "threads": _whole(1, providers.MAX_THREADS),
    "inferences": _whole(1, 64),
    "max_body_bytes": _whole(1, 2**31),
    "max_pixels": _whole(1, 2**31),
    "body_timeout_s": _seconds,
    "max_buffered_bytes": _whole(1, 2**40),
    "header_timeout_s": _seconds,
    "queue_size": _whole(1, 10_000),
    "request_timeout_ms": _whole(1, MAX_REQUEST_TIMEOUT_MS),
    "batch_size": _whole(1, 1024),
    "batch_delay_ms": _milliseconds,
    "confidence": _switch,
    "admin": _switch,
    "api_keys_file": Path,
    "cors_origins": _origins,
    "websocket_origins": _origins,
    "otlp_endpoint": _url,
    "log_level": _one_of("debug", "info", "warning", "error"),
    "shutdown_timeout_s": _whole(1, 3600),
}
