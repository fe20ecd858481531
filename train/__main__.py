"""`python -m train`: labelled folders in, a run folder with `model.keras` out.

Where TF_CONFIG names several workers, each of which runs this command, they train one network together.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from runtime import datasets
from runtime.commands import Parser
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid, RoadmaskError
from runtime.frames import Frame, Mask
from train.cluster import Cluster, WorkerLost
from train.loader import Loader
from train.reports import command
from train.settings import Settings, changed, check, differences

TERMINATED = 143
"""Exit status after SIGTERM, as shells have it: 128 + 15."""
LOST = 75
"""Exit status when another worker is gone: EX_TEMPFAIL of sysexits.h, to be tried again."""
STOPPED = "train: stopped by SIGTERM; --resume goes on from the last whole epoch"

EXAMPLE = """example:
  python -m train --data cityscapes:/data/cityscapes --data camvid:/data/camvid --out runs/lite
  python -m train --data cityscapes:/data/cityscapes --data camvid:/data/camvid --out runs/lite --resume
  python -m train report runs/lite -o report.html

python -m train report --help tells what the report takes.
"""


def parser() -> Parser:
    """The command line."""
    defaults = Settings(data=())
    made = Parser("python -m train", __doc__, EXAMPLE)
    made.add_argument(
        "--data", action="append", required=True, metavar="KIND:DIR", help="repeat it; one named twice counts twice"
    )
    made.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run folder")
    made.add_argument("--model", default=defaults.model, help="lite or unet (default %(default)s)")
    made.add_argument("--epochs", type=int, default=defaults.epochs, help="default %(default)s")
    made.add_argument(
        "--batch", type=int, default=defaults.batch, help="frames a step, of all workers together (default %(default)s)"
    )
    made.add_argument("--init", metavar="MODEL", help="start from the weights of this .keras, fp32 or fp16 .onnx")
    made.add_argument(
        "--degrade", type=float, default=defaults.degrade, help="factor on degradations' probabilities (default 1)"
    )
    made.add_argument("--loss", default=defaults.loss, help="cross_entropy, dice or both (default %(default)s)")
    made.add_argument("--learning-rate", type=float, default=defaults.learning_rate, help="default %(default)s")
    made.add_argument("--validation-frames", type=int, default=defaults.validation_frames, help="of each data set")
    made.add_argument("--seed", type=int, default=defaults.seed)
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting of train/settings.py, the value as JSON: augmentation.noise=0.3; repeat it",
    )
    made.add_argument("--readers", type=int, help="threads that read ahead (default: one a core)")
    made.add_argument("--resume", action="store_true", help="go on from RUN's last whole epoch")
    return made


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that the command line asks for.

    Raises:
        DataInvalid: a value that can't be.
    """
    names = ("model", "init", "epochs", "batch", "loss", "learning_rate", "validation_frames", "seed", "degrade")
    settings = Settings(data=tuple(arguments.data), **{name: getattr(arguments, name) for name in names})
    settings = changed(settings, arguments.set)
    if settings.init is not None and not Path(settings.init).is_file():
        raise DataInvalid(f"there is no file {settings.init} to start from")
    if settings.model not in ("lite", "unet"):
        raise DataInvalid(f"there is no model '{settings.model}': lite and unet can be trained")
    if settings.loss not in ("cross_entropy", "dice", "both"):
        raise DataInvalid(f"there is no loss '{settings.loss}': take cross_entropy, dice or both")
    for name, least in (("epochs", 1), ("batch", 1), ("validation_frames", 1)):
        if not getattr(settings, name) >= least:
            raise DataInvalid(f"--{name.replace('_', '-')} must be at least {least}")
    if arguments.readers is not None and arguments.readers < 1:
        raise DataInvalid("--readers must be at least 1")
    check(settings)
    return settings


def gather(settings: Settings) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """What is trained on, and what is validated on by data set.

    Raises:
        DataInvalid: a folder that is missing, empty or incomplete.
    """
    pairs = [pair for text in settings.data for pair in Source.parse(text).pairs("train")]
    return pairs, {
        name: datasets.spread(source.pairs("val"), settings.validation_frames)
        for name, source in datasets.named(settings.data).items()
        if "val" in source.splits()
    }


def _prepare(out: Path, settings: Settings, frames: int, *, resume: bool, chief: bool) -> None:
    """Make the run folder and note the settings; no epoch of an older run is overwritten without `--resume`.

    All workers look, the first one alone writes.

    Raises:
        DataInvalid: the folder can't be used, or holds another run.
    """
    stored = out / "run.json"
    run = {"roadmask": version("roadmask"), "frames": frames, "settings": settings.as_dict()}
    text = json.dumps(run, indent=1)
    try:
        if (out / "checkpoint.npz").exists():
            if not resume:
                raise DataInvalid(f"{out} holds a run already: give another --out, or --resume to go on with it")
            there = json.loads(stored.read_text())
            before, now = ({"frames": one["frames"], **one["settings"]} for one in (there, json.loads(text)))
            if differing := ", ".join(differences(before, now)):
                raise DataInvalid(
                    f"{stored} has other settings or frames ({differing}): --resume goes on with exactly those"
                )
        if not chief:
            return
        out.mkdir(parents=True, exist_ok=True)
        part = stored.with_suffix(".part")
        part.write_text(text)
        part.replace(stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{out} can't be used as a run folder: {error}") from error


def run(arguments: argparse.Namespace, cluster: Cluster) -> None:
    """Check everything that can be checked, then train."""
    settings = settings_of(arguments)
    pairs, validation = gather(settings)
    loader = Loader(pairs, settings, cluster, arguments.readers)
    _prepare(arguments.out, settings, len(pairs), resume=arguments.resume, chief=cluster.chief)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow takes seconds to load: bad input is told before.
    from train import fit, report  # noqa: PLC0415

    if cluster.chief:
        print(f"{len(pairs)} training frames; validation: { {name: len(some) for name, some in validation.items()} }")
    if cluster.workers > 1:
        print(f"worker {cluster.index} of {cluster.workers}; the first one tells of the epochs", flush=True)

    def finish(epochs: list[fit.Epoch], segment: Callable[[Frame], Mask]) -> None:
        report.draw_curves(epochs, arguments.out / "curves.png")
        shown = [pair for some in validation.values() for pair in datasets.spread(some, 4)]
        report.draw_samples(segment, shown or pairs[:4], arguments.out / "samples.png")
        print(f"wrote {arguments.out / 'model.keras'}")

    fit.train(settings, loader, validation, arguments.out, resume=arguments.resume, cluster=cluster, finish=finish)


def _terminate(*_signal_and_frame: object) -> NoReturn:
    print(STOPPED, file=sys.stderr, flush=True)
    raise SystemExit(TERMINATED)


def _end_at_sigterm(cluster: Cluster) -> None:
    """A container's first process has no default for it: an eviction would wait for its grace period, and kill.

    With several workers a thread ends the process. The main thread may be waiting for the others inside a collective
    operation, which no Python handler interrupts; whatever it writes, it writes to a file beside and then renames.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if cluster.workers == 1:
        return
    signal.signal(signal.SIGTERM, lambda *_signal_and_frame: None)
    received, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.detach())

    def wait() -> None:
        while signal.SIGTERM not in received.recv(1):
            pass
        print(STOPPED, file=sys.stderr, flush=True)
        os._exit(TERMINATED)

    threading.Thread(target=wait, name="sigterm", daemon=True).start()


def main(argv: list[str] | None = None) -> int:
    """Exit status 0; 2 and one line on bad input; 75 when another worker is lost; 130 interrupted, 143 told to stop."""
    given = sys.argv[1:] if argv is None else argv
    if given[:1] == ["report"]:
        return command.main(given[1:])
    arguments = parser().parse_args(given)
    try:
        cluster = Cluster.parse(os.environ.get("TF_CONFIG"))
        _end_at_sigterm(cluster)
        run(arguments, cluster)
    except RoadmaskError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except WorkerLost as error:
        print(f"train: {error}", file=sys.stderr)
        return LOST
    except KeyboardInterrupt:
        print(f"train: stopped; --resume goes on from the last whole epoch in {arguments.out}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
