"""The models that are loaded, by name and by stem."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.errors import Unavailable
from api.model import Model, warm_up
from api.settings import Settings
from runtime import auto, auto_cache, model_files, providers
from runtime.errors import ModelInvalid, ModelNotFound, ProviderUnavailable, Stopping
from runtime.segmenter import Segmenter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A model file of the folder, as the repository index tells it."""

    name: str
    version: str
    state: str
    """READY or UNAVAILABLE."""
    reason: str
    """Why it is not ready; "" where nobody asked for it yet."""


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does; a file that has just gone has none of any other."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


class Models:
    """Loads models off the event loop and keeps them. All but the loading itself belongs to the event loop's thread."""

    def __init__(self, settings: Settings, given: Model | None = None) -> None:
        """Loads nothing yet.

        Args:
            settings: which folder, default, providers and threads.
            given: a default that is loaded already; the folder's files are still there to be asked for.
        """
        self._settings = settings
        self._given = given
        self._specs = settings.providers
        """As `providers.parse` gives them; where `auto` is to choose, it has by the time that a model is opened."""
        self._by_stem: dict[str, Model] = {}
        self._stem_of: dict[str, str] = {}
        """Of the names that were resolved: one name serves one precision until it is loaded anew."""
        self._unloaded: set[str] = set()
        """Stems that stay unloaded, whoever asks for them, until they are loaded again."""
        self._failures: dict[str, tuple[tuple[int, int], str]] = {}
        """Stem to which file content failed, and why: it isn't tried again before the file changes."""
        self._started = False
        self._loading = asyncio.Lock()
        self.on_load: Callable[[str], None] = lambda _result: None
        """Told `loaded` or `failed`, of every load."""

    @property
    def default(self) -> Model | None:
        """The model that answers where a request names none; None while it is not loaded."""
        return self._by_stem.get(self._stem_of.get(self._settings.model, self._settings.model))

    def check_default(self) -> Model:
        """The default.

        Raises:
            Unavailable: it is not loaded yet, or was unloaded.
        """
        if self.default is not None:
            return self.default
        self.check_started()
        raise Unavailable(f"the model '{self._settings.model}' was unloaded", retry_after_s=60)

    def check_started(self) -> None:
        """Find out whether the default has been loaded, be it unloaded since.

        Raises:
            Unavailable: not yet.
        """
        if not self._started:
            raise Unavailable("the model is still being loaded", retry_after_s=2)

    async def start(self, check: Callable[[], None] = lambda: None) -> None:
        """Load and warm up the default.

        Args:
            check: called once it is warm and before it serves; what it raises ends the start.

        Raises:
            ModelNotFound: it is not in the folder.
            ModelInvalid: its file is not what it should be.
            ProviderUnavailable: a provider that is not there.
        """
        async with self._loading:
            if self._given is not None:
                await asyncio.to_thread(warm_up, self._given)
                check()
                self._keep(self._settings.model, self._given)
                self._stem_of.setdefault(self._given.name.rpartition("-")[0], self._given.name)
            else:
                is_over = threading.Event()
                try:
                    path = await asyncio.to_thread(self._choose_default, is_over)
                finally:
                    is_over.set()
                model = await asyncio.to_thread(self._open, path)
                check()
                self._keep(self._settings.model, model)
                logger.info("%s runs on %s", path.name, ",".join(self._specs))
            self._started = True

    async def get(self, asked: str | None) -> Model:
        """The model of a name or stem, None for the default; one that nobody asked for before is loaded first.

        Raises:
            ModelNotFound: there is none in the folder.
            Unavailable: it is not loaded yet, was unloaded, or can't be loaded.
        """
        if asked is None:
            return self.check_default()
        if not self._started:
            self.check_default()
        there = self.loaded(asked)
        if there is not None:
            return there
        async with self._loading:
            return self.loaded(asked) or await self._load_asked(asked)

    def loaded(self, asked: str) -> Model | None:
        """The model of a name or stem if it is loaded."""
        return self._by_stem.get(self._stem_of.get(asked, asked))

    async def _load_asked(self, asked: str) -> Model:
        path = await asyncio.to_thread(self._find, asked)
        if path.stem in self._by_stem:
            self._stem_of[asked] = path.stem
            return self._by_stem[path.stem]
        if path.stem in self._unloaded:
            raise Unavailable(f"the model '{asked}' was unloaded", retry_after_s=60)
        stamp, _ = self._failures.get(path.stem, (None, ""))
        if stamp is not None and stamp == await asyncio.to_thread(_stamp, path):
            raise Unavailable(f"the model '{asked}' can't be loaded; the server's log says why", retry_after_s=60)
        try:
            return await self._load(asked, path)
        except (ModelInvalid, ProviderUnavailable) as error:
            raise Unavailable(f"the model '{asked}' can't be loaded; the server's log says why", 60) from error

    async def load(self, asked: str) -> Model:
        """Load a name's or stem's file anew and serve it from now on; what is under way finishes on the old one.

        Raises:
            ModelNotFound: there is none in the folder.
            ModelInvalid, ProviderUnavailable: it can't be loaded; what was served still is.
        """
        async with self._loading:
            return await self._load(asked, await asyncio.to_thread(self._find, asked))

    async def unload(self, asked: str) -> None:
        """Serve a name or stem no more; what is under way finishes.

        Raises:
            ModelNotFound: there is none in the folder, and none loaded.
        """
        async with self._loading:
            stem = self._stem_of.get(asked, asked)
            if stem not in self._by_stem:
                stem = (await asyncio.to_thread(self._find, asked)).stem
            self._by_stem.pop(stem, None)
            self._unloaded.add(stem)

    async def index(self) -> list[Entry]:
        """Every model file of the folder, and what is loaded beside them."""
        there = set(await asyncio.to_thread(model_files.stems, self._settings.models))
        entries = []
        for stem in sorted(there | set(self._by_stem)):
            model = self._by_stem.get(stem)
            if model is not None:
                entries.append(Entry(stem, model.version, "READY", ""))
            else:
                reason = "unloaded" if stem in self._unloaded else self._failures.get(stem, ((), ""))[1]
                entries.append(Entry(stem, "", "UNAVAILABLE", reason))
        return entries

    async def _load(self, asked: str, path: Path) -> Model:
        stamp = await asyncio.to_thread(_stamp, path)
        try:
            model = await asyncio.to_thread(self._open, path)
        except (ModelInvalid, ProviderUnavailable) as error:
            logger.error("%s", error)
            self._failures[path.stem] = (stamp, str(error).replace(str(path), path.name))
            self.on_load("failed")
            raise
        self._failures.pop(path.stem, None)
        self._unloaded.discard(path.stem)
        self._keep(asked, model)
        logger.info("loaded %s, version %s", model.name, model.version)
        self.on_load("loaded")
        return model

    def _keep(self, asked: str, model: Model) -> None:
        self._by_stem[model.name] = model
        self._stem_of[asked] = model.name

    def _open(self, path: Path) -> Model:
        """A warm model of a file; takes from a second to minutes, on a thread."""
        try:
            settings = self._settings
            model = Segmenter.load(path, self._specs, settings.threads, confidence=settings.confidence)
            warm_up(model)
        except (ModelInvalid, ProviderUnavailable):
            raise
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelInvalid(f"{path} can't be run: {reason[0]}") from error
        return model

    def _find(self, asked: str) -> Path:
        folder = self._settings.models
        there = {*model_files.names(folder), *model_files.stems(folder)}
        # model_files.find takes paths too, which no client may hand in, and its message names the folder.
        if asked not in there:
            known = ", ".join(sorted({*self._by_stem, *self._stem_of, *there}))
            raise ModelNotFound(f"there is no model '{asked}' (there: {known})")
        return self._file(asked)

    def _file(self, named: str) -> Path:
        """Of a name, the precision that suits the provider."""
        return model_files.find(named, self._settings.models, self._specs[0])

    def _choose_default(self, is_over: threading.Event) -> Path:
        """The default's file; `auto` measures what to run it on, which takes a minute the first time.

        Raises:
            Stopping: `is_over` was set, and nobody waits for the measurement any more.
        """
        if self._specs != (providers.AUTO,):
            return self._file(self._settings.model)

        def check() -> None:
            if is_over.is_set():
                raise Stopping("the server is stopping")

        settings = self._settings
        cache = settings.cache or auto_cache.default_cache()
        choice = auto.choose(settings.model, settings.models, settings.threads, cache, check=check)
        logger.info("auto: %s", choice.reason)
        self._specs = providers.parse(choice.providers)
        return choice.path
