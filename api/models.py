"""The models that are loaded, by name and by stem."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from api.errors import Unavailable
from api.settings import Settings
from runtime import cores, frames, model_files
from runtime.contract import Contract
from runtime.errors import ModelInvalid, ModelNotFound, ProviderUnavailable
from runtime.frames import Frame
from runtime.segmenter import Segmenter

logger = logging.getLogger(__name__)


class Model(Protocol):
    """What is served: a `runtime.segmenter.Segmenter`, or a test's stand-in."""

    contract: Contract
    name: str
    """The file's stem: `accurate-int8`."""
    provider: str

    def plan(self, frame: Frame) -> frames.Fit:
        """How a frame lies in the network's input."""

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """uint8 batch x h x w x 3 to uint8 batch x h x w."""


def warm_up(model: Model) -> None:
    """One inference at the full size: the first one allocates, and on some hardware compiles."""
    budget = model.contract.geometry.pixel_budget
    side = max(1, round((budget / 2) ** 0.5))
    frame = np.zeros((side, 2 * side, 3), np.uint8)
    model.infer(frames.fit(frame, model.plan(frame))[None])


class Models:
    """Loads models off the event loop and keeps them. All but `load` belongs to the event loop's thread."""

    def __init__(self, settings: Settings, given: Model | None = None) -> None:
        """Loads nothing yet.

        Args:
            settings: which folder, default, providers and threads.
            given: a default that is loaded already; the folder's files are still there to be asked for.
        """
        self._settings = settings
        self._given = given
        self._default: Model | None = None
        self._by_asked: dict[str, Model] = {}
        self._loading = asyncio.Lock()

    @property
    def default(self) -> Model | None:
        """The model that answers where a request names none; None until `start` is through."""
        return self._default

    async def start(self) -> None:
        """Load and warm up the default.

        Raises:
            ModelNotFound: it is not in the folder.
            ModelInvalid: its file is not what it should be.
            ProviderUnavailable: a provider that is not there.
        """
        if self._given is not None:
            model = self._given
            await asyncio.to_thread(warm_up, model)
        else:
            path = model_files.find(self._settings.model, self._settings.models)
            model = await asyncio.to_thread(self.load, path)
        self._by_asked[self._settings.model] = model
        self._by_asked[model.name] = model
        self._by_asked.setdefault(model.name.rpartition("-")[0], model)
        self._default = model

    def load(self, path: Path) -> Model:
        """A warm model of a file; takes from a second to minutes. Raises as `Segmenter.load`."""
        model = Segmenter.load(path, self._settings.providers, self._settings.threads)
        warm_up(model)
        return model

    async def get(self, asked: str | None) -> Model:
        """The model of a name or stem, None for the default; one that nobody asked for before is loaded first.

        Raises:
            ModelNotFound: there is none in the folder.
            Unavailable: the default is not loaded yet, or the file can't be loaded.
        """
        if self._default is None:
            raise Unavailable("the model is still being loaded", retry_after_s=2)
        if asked is None:
            return self._default
        if asked not in self._by_asked:
            async with self._loading:
                if asked not in self._by_asked:
                    self._by_asked[asked] = await self._load_asked(asked)
        return self._by_asked[asked]

    async def _load_asked(self, asked: str) -> Model:
        path = await asyncio.to_thread(self._find, asked)
        if path.stem in self._by_asked:
            return self._by_asked[path.stem]
        try:
            model = await asyncio.to_thread(self.load, path)
        except (ModelInvalid, ProviderUnavailable) as error:
            logger.error("%s", error)
            raise Unavailable(f"the model '{asked}' can't be loaded; the server's log says why", 60) from error
        self._by_asked[path.stem] = model
        return model

    def _find(self, asked: str) -> Path:
        folder = self._settings.models
        there = {*model_files.names(folder), *model_files.stems(folder)}
        # model_files.find takes paths too, which no client may hand in, and its message names the folder.
        if asked not in there:
            known = ", ".join(sorted({*self._by_asked, *there}))
            raise ModelNotFound(f"there is no model '{asked}' (there: {known})")
        return model_files.find(asked, folder)


def summary(model: Model, threads: int | None) -> dict[str, Any]:
    """What `GET /model` tells.

    Args:
        model: of which one.
        threads: as in the settings.
    """
    return {
        "model": model.name,
        "provider": model.provider,
        "threads": threads or cores.available(),
        "accuracy": dict(model.contract.accuracy),
        "contract": json.loads(model.contract.to_json()),
    }
