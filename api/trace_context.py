"""W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a request belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

SAMPLED = 0x01
"""The flag of a trace that its caller records."""

_KNOWN_FLAGS = SAMPLED | 0x02
"""`sampled`, and level 2's `random-trace-id`; the rest is reserved and must not be passed on."""

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""Version, trace id, parent id, flags. Version ff and ids of zeros are invalid; a later version may append fields."""

_STATE = re.compile(r"[ -~]{1,512}")
"""512 characters are what everybody has to pass on; whatever is longer may be dropped."""


@dataclass(frozen=True)
class TraceContext:
    """A place in a trace."""

    trace_id: str
    """32 lower-case hexadecimal digits, not all 0."""
    span_id: str
    """16 lower-case hexadecimal digits, not all 0: the span that whatever comes next has as its parent."""
    flags: int
    """0..3; bit 0 is SAMPLED."""
    state: str = ""
    """`tracestate` as it came; "" if there is none."""

    @classmethod
    def parse(cls, traceparent: str, tracestate: str = "") -> TraceContext | None:
        """What the headers say; None where `traceparent` is invalid, which is to be treated as if it were not there."""
        found = _TRACEPARENT.fullmatch(traceparent)
        if found is None:
            return None
        version, trace_id, span_id, flags, rest = found.groups()
        if version == "00" and rest is not None:
            return None
        state = tracestate if _STATE.fullmatch(tracestate) else ""
        return cls(trace_id, span_id, int(flags, 16) & _KNOWN_FLAGS, state)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that hand it on, as ASGI wants them, in version 00."""
        given = [(b"traceparent", f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode())]
        if self.state:
            given.append((b"tracestate", self.state.encode()))
        return given
