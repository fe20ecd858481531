"""NiceGUI's simulated user in front of an API whose answers a test gives."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from nicegui import ElementFilter, ui
from nicegui.testing import User
from PIL import Image

from gui.client import TIMEOUT_S
from gui.palettes import CATEGORIES, CITYSCAPES
from gui.texts import shell
from gui.uploads import FileChooser

ADDRESS = "http://api.example"

Handler = Callable[[httpx.Request], Awaitable[httpx.Response] | httpx.Response]

Visit = Callable[["Visitor"], Awaitable[None]]


def png(ids: np.ndarray | None = None) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((2, 3), np.uint8) if ids is None else ids).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def segmented(model: str = "accurate-fp32", width: int = 3) -> httpx.Response:
    rows = [
        {"id": i, "name": name, "color": CITYSCAPES[i], "pixels": 1, "share": 0.5 if i in (1, 4) else 0.0}
        for i, name in enumerate(CATEGORIES)
    ]
    timings = {"decode": 1.0, "queue": 0.0, "infer": 2.0, "encode": 1.0}
    told = {"model": model, "provider": "cpu", "width": width, "height": 2, "mask": png(), "timings_ms": timings}
    return httpx.Response(200, json={**told, "categories": rows})


@dataclass
class Api:
    """An API whose answers a test gives; every path that it gives none for answers as the real one does."""

    answers: dict[str, Handler] = field(default_factory=dict)
    names: tuple[str, ...] = ("accurate-fp32",)
    asked: list[httpx.Request] = field(default_factory=list)

    def count(self, path: str) -> int:
        return sum(request.url.path == path for request in self.asked)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        found = self.answers[path](request) if path in self.answers else self._usual(request)
        return found if isinstance(found, httpx.Response) else await found

    def _usual(self, request: httpx.Request) -> httpx.Response:
        path, model = request.url.path, request.url.params.get("model", self.names[0])
        if path == "/segment":
            return segmented(model)
        if path == "/v2/repository/index":
            entries = [{"name": name, "version": "1", "state": "UNAVAILABLE", "reason": ""} for name in self.names]
            return httpx.Response(200, json=[{**entries[0], "state": "READY"}, *entries[1:]])
        if path == "/model":
            geometry = {"fixed": None, "pixel_budget": 1000, "stride": 32, "max_upscale": 2}
            contract = {"geometry": geometry, "precision": "fp32", "gmac": 1.0, "data": [], "run": {}, "categories": []}
            told = {"model": model, "provider": "cpu", "threads": 1, "version": "1", "nodes": {"cpu": 3}}
            return httpx.Response(200, json={**told, "contract": contract, "accuracy": {}})
        return httpx.Response(200, text="")


class Visitor:
    """A simulated user, and what it sees; each wait ends when it comes true, or the test fails."""

    def __init__(self, user: User) -> None:
        self.user = user

    async def until(self, condition: Callable[[], Any]) -> None:
        give_up = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < give_up, "it did not come about"
            await asyncio.sleep(0.01)

    def all(self, kind: type[Any] = ui.element) -> list[Any]:
        with self.user:
            return list(ElementFilter(kind=kind))

    def texts(self) -> list[str]:
        """What stands on the page: words of labels, attributes and properties, hidden ones left out."""
        shown = [element for element in self.all() if element.visible]
        found = [str(element.text) for element in shown if getattr(element, "text", None)]
        for element in shown:
            found += [str(element.props[name]) for name in ("aria-label", "label", "title") if element.props.get(name)]
            found += [str(element.content)] if isinstance(element, ui.html) else []
        return found

    def sees(self, text: str) -> bool:
        return any(text in one for one in self.texts())

    async def sees_soon(self, text: str) -> None:
        await self.until(lambda: self.sees(text))

    async def give(self, name: str = "frame.png", data: bytes = b"\x89PNG", place: int = 0) -> None:
        """A file, the way the browser sends it."""
        action = self.all(FileChooser)[place].props["action"]
        answer = await self.user.http_client.post(action, params={"name": name, "url": "blob:x"}, content=data)
        assert answer.status_code == 204


@dataclass
class Simulation:
    """The site in a thread of its own, because a browser's fixture keeps a loop running in the tests' thread."""

    run: Callable[[Awaitable[None]], None]
    user: User
    frames: Path
    api: Api = field(default_factory=Api)


def told(reason: str, status: int | None = None, language: Any = "en") -> str:
    sentence: str = getattr(shell.TEXTS[language], reason)
    return sentence.format(api=ADDRESS, seconds=TIMEOUT_S, status=status)


def raising(error: type[httpx.HTTPError]) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("no")

    return answer
