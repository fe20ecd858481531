"""What is measured, scenario by scenario, and what is asked of it. README.md tells what each figure means."""

from __future__ import annotations

import math
import statistics
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import workload
from bench import Bench, all_ok
from figures import OK, Measured, Sample, Target, Verdict, number
from processes import BenchmarkFailed

from runtime import codecs

REFUSED = 503

SATURATING_CLIENTS = 2
"""On one core the server admits two at a time by default: one is inferred, one decoded or encoded."""

OVERLOAD_FACTOR = 2.0
PERIOD_S = 4.0
"""From one request of a user to its next at a constant rate: far more than any answer takes, so that none is late."""


def _ask(url: str, kind: str, path: str) -> bytes:
    headers = {"Content-Type": workload.KINDS[kind]}
    request = urllib.request.Request(f"{url}/segment", Path(path).read_bytes(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        body: bytes = answer.read()
    return body


def agreement(bench: Bench, url: str, kind: str) -> float:
    """The share of pixels (0..1) in which a server's mask of the first frame is the reference's."""
    path, output = bench.frames[kind][0], bench.folder / "mask.png"
    bench.reference.ask(do="mask", bodies=[path], output=str(output))
    ours = codecs.decode_mask(output.read_bytes())
    return float(np.mean(codecs.decode_mask(_ask(url, kind, path)) == ours))


def check_same_work(bench: Bench, url: str) -> None:
    """Make sure that server and reference do the same.

    Raises:
        BenchmarkFailed: their masks differ.
    """
    for kind in workload.KINDS:
        share = agreement(bench, url, kind)
        if share < 1:
            raise BenchmarkFailed(f"server and reference differ in {1 - share:.2%} of a {kind} frame's pixels")


def latency(bench: Bench) -> None:
    """One client: server, reference, and the load tool against the trivial endpoint."""
    plan = bench.plan
    rows = {
        (subject, kind): Measured("latency", subject, kind, "1")
        for kind in workload.KINDS
        for subject in ("server", "reference", "tool + socket")
    }
    with bench.server() as server, bench.floor() as floor:
        check_same_work(bench, server.url)
        for i in bench.rounds("latency", plan.latency_rounds):
            for kind in workload.KINDS:
                _latency_round(bench, i, kind, {"server": server.url, "tool + socket": floor.url}, rows)
        for kind in workload.KINDS:
            rows["server", kind].rss_mb = server.memory_mb()
            rows["reference", kind].rss_mb = bench.reference.memory_mb()
    bench.results.measured += rows.values()
    for kind in workload.KINDS:
        _judge_latency(bench, *(rows[subject, kind] for subject in ("server", "reference", "tool + socket")))


def _latency_round(
    bench: Bench, i: int, kind: str, urls: dict[str, str], rows: dict[tuple[str, str], Measured]
) -> None:
    count = bench.plan.latency_requests + 2

    def send(subject: str) -> None:
        samples, _ = bench.send(urls[subject], kind, 1, requests=count)
        bench.note_latency(rows[subject, kind], samples)

    def work() -> None:
        bench.note_latency(rows["reference", kind], bench.work(kind, requests=count))

    bench.in_turn(i, work, lambda: send("server"), lambda: send("tool + socket"))


def _judge_latency(bench: Bench, server: Measured, reference: Measured, tool: Measured) -> None:
    pairs = zip(server.round_medians, reference.round_medians, strict=True)
    differences = [ours - theirs for ours, theirs in pairs]
    spread = f"rounds {number(min(differences))} to {number(max(differences))}"
    medians = f"{spread}; of it tool + socket {number(tool.median_ms)}"
    added = statistics.median(differences)
    bench.results.verdicts.append(
        Verdict("latency", f"{server.frames}: added at the median", added, "ms", Target("<=", 2), medians)
    )
    added = (server.p99_ms or math.nan) - (reference.p99_ms or math.nan)
    p99 = f"{number(server.p99_ms)} - {number(reference.p99_ms)}; tool + socket {number(tool.p99_ms)}"
    bench.results.verdicts.append(
        Verdict("latency", f"{server.frames}: added at p99", added, "ms", Target("<=", 5), p99)
    )


def throughput(bench: Bench) -> None:
    """As many clients as the server admits, against the reference's loop, which saturates its core by itself."""
    plan = bench.plan
    with bench.server() as server:
        for kind in workload.KINDS:
            ours = Measured("throughput", "server", kind, str(SATURATING_CLIENTS))
            theirs = Measured("throughput", "reference", kind, "-")

            def send(row: Measured = ours, kind: str = kind) -> None:
                bench.note_rate(row, *bench.send(server.url, kind, SATURATING_CLIENTS, seconds=plan.throughput_s))

            def work(row: Measured = theirs, kind: str = kind) -> None:
                bench.note_rate(row, bench.work(kind, seconds=plan.throughput_s), math.inf)

            for i in bench.rounds(f"throughput {kind}", plan.throughput_rounds):
                bench.in_turn(i, work, send)
            ours.rss_mb, theirs.rss_mb = server.memory_mb(), bench.reference.memory_mb()
            bench.results.measured += [ours, theirs]
            _judge_ratio(bench, "throughput", f"{kind}: of the reference's", ours, theirs, 0.9)


def _judge_ratio(bench: Bench, scenario: str, what: str, ours: Measured, theirs: Measured, least: float) -> None:
    ratios = [a / b for a, b in zip(ours.rates, theirs.rates, strict=True)]
    note = f"rounds {number(min(ratios))} to {number(max(ratios))}"
    bench.results.verdicts.append(Verdict(scenario, what, statistics.median(ratios), "x", Target(">=", least), note))


def overload(bench: Bench) -> None:
    """Twice the capacity at a constant rate: who is admitted is served soon, who is not is told at once."""
    plan = bench.plan
    with bench.server() as server:
        for kind in workload.KINDS:
            unloaded = Measured("overload", "server, unloaded", kind, "1")
            loaded = Measured("overload", "server, admitted", kind, "")
            refused = Measured("overload", "server, refused", kind, "")
            for _ in bench.rounds(f"overload {kind}", 1):
                before, _ = bench.send(server.url, kind, 1, requests=plan.unloaded_requests)
                capacity = Measured("", "server", kind, "")
                bench.note_rate(capacity, *bench.send(server.url, kind, SATURATING_CLIENTS, seconds=plan.throughput_s))
                rate = OVERLOAD_FACTOR * capacity.rates[0]
                users = math.ceil(rate * PERIOD_S)
                samples, until_s = bench.send(server.url, kind, users, seconds=plan.overload_s, rate=rate)
                after, _ = bench.send(server.url, kind, 1, requests=plan.unloaded_requests)
            bench.note_latency(unloaded, before)
            bench.note_latency(unloaded, after)
            offered = (len(samples) - 1) / (until_s - samples[0].start_s)
            loaded.clients = refused.clients = f"{number(offered)}/s"
            for row, status in ((loaded, OK), (refused, REFUSED)):
                row.rounds_ms = [[sample.ms for sample in samples if sample.status == status]]
                row.rates = [len(row.rounds_ms[0]) / (samples[-1].end_s - samples[0].start_s)]
                row.rounds_ms = [values for values in row.rounds_ms if values]
            bench.results.measured += [unloaded, loaded, refused]
            _judge_overload(bench, unloaded, loaded, refused, samples, offered / capacity.rates[0])


def _judge_overload(
    bench: Bench, unloaded: Measured, loaded: Measured, refused: Measured, samples: Sequence[Sample], factor: float
) -> None:
    kind = unloaded.frames
    counts = Counter(sample.status for sample in samples)
    told = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(counts.items()))
    verdicts = bench.results.verdicts
    note = f"the rate came to {number(factor)} x the capacity; {told}"
    ratio = (loaded.p99_ms or math.nan) / (unloaded.p99_ms or math.nan)
    verdicts.append(Verdict("overload", f"{kind}: admitted p99 / unloaded p99", ratio, "x", Target("<", 3), note))
    # Whoever waited for a place would have waited for an inference, which is most of an unloaded answer.
    limit = Target("<", round((unloaded.median_ms or math.nan) / 2, 1))
    at_once = f"median {number(refused.median_ms)}; half of the unloaded median is what it has to be under"
    verdicts.append(Verdict("overload", f"{kind}: p99 of 503", refused.p99_ms or math.nan, "ms", limit, at_once))
    others = sum(count for status, count in counts.items() if status not in (OK, REFUSED))
    verdicts.append(Verdict("overload", f"{kind}: answers that are neither", others, "", Target("<=", 0)))
    if factor < 0.95 * OVERLOAD_FACTOR:
        bench.results.warnings.append(f"overload with {kind}: only {factor:.2f} x the capacity was offered")


def memory(bench: Bench) -> None:
    """Many requests of many sizes: what the server holds must not grow."""
    plan = bench.plan
    bodies = workload.write_sizes(bench.folder)
    row = Measured("memory", "server, all cores", "both", "2")
    step = len(bodies) * 2
    with bench.server(all_cores=True) as server:
        seen: dict[int, float] = {}
        for i in bench.rounds("memory", plan.memory_all // step):
            # The bytes tell what they are; one media type will do for both kinds.
            told = bench.load.ask(
                url=server.url, bodies=bodies, media_type="application/octet-stream", users=2, requests=step
            )
            samples = all_ok([Sample(*sample) for sample in told["samples"]], "the server")
            row.rounds_ms.append([sample.ms for sample in samples])
            seen[(i + 1) * step] = server.memory_mb()
        row.rss_mb, most = server.memory_mb(), server.memory_mb("VmHWM")
    bench.results.measured.append(row)
    first, last = seen[plan.memory_first], seen[max(seen)]
    note = (
        f"{len(bodies)} sizes; {number(first)} MB after {plan.memory_first} requests, {number(last)} after {max(seen)},"
        f" {number(min(seen.values()))} to {number(max(seen.values()))} between, {number(most)} at most"
    )
    bench.results.verdicts.append(Verdict("memory", "RSS, last / first", last / first, "x", Target("<=", 1.1), note))


def cpu(bench: Bench) -> None:
    """CPU time by stage, in the reference: no waiting in it, and no other process."""
    count = bench.plan.cpu_frames
    verdicts = bench.results.verdicts
    kinds = list(workload.KINDS)
    for i in bench.rounds("cpu", len(kinds)):
        kind = kinds[i]
        told = bench.reference.ask(do="stages", bodies=bench.frames[kind], requests=count)
        stage = {name: statistics.median(values[1:]) for name, values in told.items()}
        share = (stage["decode"] + stage["encode"]) / stage["infer"]
        note = f"decode {number(stage['decode'])}, inference {number(stage['infer'])}, encode {number(stage['encode'])}"
        target = Target("<=", 1.0) if kind == "jpeg" else None
        verdicts.append(Verdict("cpu", f"{kind}: (decode + encode) / inference", share, "x", target, f"{note} ms"))
    told = bench.reference.ask(do="png", bodies=bench.frames["png"], requests=count)
    ours, pillow = (statistics.median(told[name][1:]) for name in ("ours", "pillow"))
    note = f"Pillow {number(pillow)}, ours {number(ours)} ms"
    verdicts.append(Verdict("cpu", "png: decode, Pillow / ours", pillow / ours, "x", Target(">=", 2.0), note))


PEER_CLIENTS = (1, 2, 4)
PEER_TARGETS = {"jpeg": 1.3, "png": 1.6}


def peer(bench: Bench) -> None:
    """Our server and a plain FastAPI server with Pillow, in turn: on one core, then on all."""
    _peer(bench, all_cores=False)
    if bench.load_cores != bench.server_cores:
        _peer(bench, all_cores=True)


def _peer(bench: Bench, all_cores: bool) -> None:
    plan, where = bench.plan, "all cores" if all_cores else "one core"
    # The peer refuses nobody, so ours must not either: as many places as there are clients.
    with (
        bench.server(queue_size=max(PEER_CLIENTS), all_cores=all_cores) as server,
        bench.peer(all_cores=all_cores) as other,
    ):
        for kind in workload.KINDS:
            share = agreement(bench, other.url, kind)
            for clients in PEER_CLIENTS:
                ours = Measured("peer", f"server, {where}", kind, str(clients))
                theirs = Measured("peer", f"FastAPI, {where}", kind, str(clients))

                def send(row: Measured, url: str, kind: str = kind, clients: int = clients) -> None:
                    bench.note_rate(row, *bench.send(url, kind, clients, seconds=plan.peer_s))

                for i in bench.rounds(f"peer {where} {kind} {clients}", plan.peer_rounds):
                    bench.in_turn(
                        i,
                        lambda row=ours, send=send: send(row, server.url),
                        lambda row=theirs, send=send: send(row, other.url),
                    )
                ours.rss_mb, theirs.rss_mb = server.memory_mb(), other.memory_mb()
                bench.results.measured += [ours, theirs]
                what = f"{kind}, {where}, {clients} at a time: of the peer's"
                _judge_ratio(bench, "peer", what, ours, theirs, PEER_TARGETS[kind])
            if not all_cores:
                _note_agreement(bench, kind, share)


def _note_agreement(bench: Bench, kind: str, share: float) -> None:
    what = f"{kind}: pixels in which both masks agree"
    bench.results.verdicts.append(Verdict("peer", what, share * 100, "%", None, "the peer scales bilinearly"))


ALL: dict[str, Callable[[Bench], None]] = {
    "latency": latency,
    "throughput": throughput,
    "overload": overload,
    "memory": memory,
    "cpu": cpu,
    "peer": peer,
}
