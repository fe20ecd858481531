"""`--providers auto`: the fastest provider list and precision of this machine whose masks agree with the reference.

Measured once for a machine and a model, then remembered. Never slower than the default, which is the CPU with the
precision that `model_files.find` takes: another choice must be faster by `MARGIN`, in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime import auto_cache, bench, bench_inputs, cores, model_files
from runtime.bench import Configuration, Row
from runtime.bench_inputs import REFERENCE_PROVIDERS

MARGIN = 0.05
"""Another choice than the default must take at least this share less time: below it lies what two runs differ by."""
ROUNDS = 7
"""Of the medians of so few rounds, the middle one is still within a few percent of many rounds' one."""


HOPELESS = 3.0
"""What takes more than this many times the default's time, twice, is timed no more: an emulated device is that slow."""


@dataclass(frozen=True)
class Bound:
    """How far masks may be from the float32 CPU reference's, all frames together."""

    differs: float
    """Most differing pixels, a share (0..1)."""
    mean_iou: float
    """Least mean category IoU with the reference's masks (0..1): small categories count as much as the road."""


FLOATING = Bound(0.01, 0.97)
"""float32 and fp16. Other orders of summation and half precision move the edges of things: OpenVINO differs in none of
the pixels where it computes in float32, in 0.2 % where its default is bfloat16; the shipped
fp16 file in 0.03 %. Five times 0.2 % is another computation.
"""
QUANTISED = Bound(0.02, 0.95)
"""int8: two to three times what the shipped model's quantisation costs on the CPU, which is 0.7 % of the pixels and an
IoU of 0.978 on 20 generated scenes, 0.6 % and 0.974 on 24 frames of Cityscapes, 0.4 % and 0.979 on 24 of CamVid; on the
scenes that are measured here it is 0.4 % and 0.982, and the same with OpenVINO. One frame alone may have 2.3 %.
"""


@dataclass(frozen=True)
class Choice:
    """What to run a model on."""

    providers: str
    """A provider list, for `providers.parse`."""
    path: Path
    """The model file: the precision is part of the choice."""
    reason: str
    """One line: why this."""


def choose(
    model: str,
    folder: Path = model_files.SHIPPED,
    threads: int | None = None,
    cache: Path | None = None,
    *,
    rounds: int = ROUNDS,
    notify: bench.Notify = lambda _done: None,
    check: Callable[[], object] = lambda: None,
) -> Choice:
    """The fastest that agrees, of every provider at hand with every precision of a name (of a stem: with that file).

    Args:
        model: a name, a stem or a path.
        folder: where names and stems are looked for.
        threads: for operators on the CPU; None takes the cores that this process may use.
        cache: where choices are remembered; None remembers nothing. One that can't be read or written is no failure.
        rounds: how often each is timed on each of `bench_inputs.SCENES` frames.
        notify: told of each step of the measurement.
        check: called several times a second while it is measured; what it raises ends that, and nothing is remembered.

    Raises:
        ModelNotFound: no such model.
        ModelInvalid: the reference can't be run.
        ProviderUnavailable: no onnxruntime, or a number of threads that can't be.
    """
    default = Configuration(REFERENCE_PROVIDERS, model_files.find(model, folder), threads or cores.available())
    candidates = _candidates(default, model, folder, threads)
    if len(candidates) == 1:
        return Choice(default.providers, default.path, f"{default}: there is nothing else to choose from")
    reference = Configuration(REFERENCE_PROVIDERS, bench_inputs.reference_of(default.path), default.threads)
    entry = auto_cache.Entry.of(candidates, reference.path, cache) if cache else None
    told = entry.read() if entry else None
    if told is not None:
        return Choice(told[0].providers, told[0].path, told[1])
    shots = bench_inputs.generated()
    rows = bench.measure(candidates, shots, reference, rounds, notify, hopeless=HOPELESS, check=check)
    picked, reason = pick(rows)
    # A default that failed may work the next time: that is not worth remembering.
    if entry is not None and rows[0].error is None:
        reason += entry.write(picked, reason)
    return Choice(picked.providers, picked.path, reason)


def _candidates(default: Configuration, model: str, folder: Path, threads: int | None) -> list[Configuration]:
    """The default first, and each once."""
    paths, numbers = bench_inputs.files(model, folder), [default.threads if threads is None else threads]
    others = bench_inputs.configurations(paths, bench_inputs.lists_at_hand(), numbers)
    return list(dict.fromkeys([default, *others]))


def agrees(row: Row) -> bool:
    """Whether a row's masks are as near to the reference's as its precision allows."""
    bound = QUANTISED if row.precision == "int8" else FLOATING
    if row.differs is None or row.mean_iou is None:
        return False
    return row.differs <= bound.differs and row.mean_iou >= bound.mean_iou


def pick(rows: Sequence[Row]) -> tuple[Configuration, str]:
    """The fastest row that agrees, and why, in one line.

    Another row than the default is only taken if it takes at least MARGIN less time: so none that is slower ever is.

    Args:
        rows: as `bench.measure` makes them, the default's first.
    """
    default, others = rows[0], [row for row in rows[1:] if row.error is None and agrees(row)]
    if default.error is not None:
        if not others:
            return default.configuration, f"{default.configuration}: nothing that agrees could be measured"
        best = min(others, key=lambda row: row.median_ms or 0.0)
        return best.configuration, f"{_told(best)}; the default, {default.configuration}, failed: {default.error}"
    faster = {row.configuration: bench.ratio(row, default) for row in others}
    fast = [row for row in others if faster[row.configuration] <= 1 - MARGIN]
    if not fast:
        itself = "" if agrees(default) else ", although its own masks are further off than they should be"
        why = _why_default(rows[1:], len(others))
        return default.configuration, f"{_told(default)}, the default{itself}: {why}"
    best = min(fast, key=lambda row: faster[row.configuration])
    share = f"takes {faster[best.configuration]:.2f} of the time of the default"
    return best.configuration, f"{_told(best)}: {share}, {_told(default)}"


def _told(row: Row) -> str:
    share = "unknown" if row.differs is None else f"{100 * row.differs:.2f} %"
    return f"{row.configuration} ({row.median_ms:.1f} ms, {share} other pixels than the reference)"


def _why_default(others: Sequence[Row], agreeing: int) -> str:
    failed = sum(row.error is not None for row in others)
    said = f"of {len(others)} others none that agrees takes {100 * MARGIN:.0f} % less time"
    apart = len(others) - failed - agreeing
    return said + (f", {apart} disagree" if apart else "") + (f", {failed} failed" if failed else "")
