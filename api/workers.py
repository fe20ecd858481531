"""The threads that do the work, and how many requests may wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from api.errors import Unavailable
from runtime import cores

T = TypeVar("T")


class Workers:
    """Decoding and encoding on as many threads as there are cores, inference one at a time in the order of arrival.

    One inference already uses every core; two at once would only slow each other down. The decoding and encoding of
    other requests goes on meanwhile. Belongs to the event loop's thread.
    """

    def __init__(self, places: int) -> None:
        """Starts no thread before it is needed.

        Args:
            places: how many requests may be admitted at a time.
        """
        self._places = places
        self._admitted = 0
        self._draining = False
        self._codecs = ThreadPoolExecutor(cores.available(), "codec")
        self._inference = ThreadPoolExecutor(1, "inference")

    @property
    def places_taken(self) -> int:
        """How many requests are admitted and not answered."""
        return self._admitted

    def drain(self) -> None:
        """End admission; what was admitted goes on. Safe in a signal handler."""
        self._draining = True

    def check_admission_is_open(self) -> None:
        """Find out whether the server takes requests at all.

        Raises:
            Unavailable: it is stopping.
        """
        if self._draining:
            raise Unavailable("the server is stopping", retry_after_s=5)

    def check(self) -> None:
        """Find out before a body is read whether it would be admitted now.

        Raises:
            Unavailable: the server is stopping, or every place is taken.
        """
        self.check_admission_is_open()
        if self._admitted >= self._places:
            raise Unavailable(f"the queue is full: {self._admitted} requests are being worked on")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place. Raises as `check`."""
        self.check()
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def codec(self, work: Callable[[], T]) -> T:
        """The result of decoding or encoding work."""
        return await asyncio.get_running_loop().run_in_executor(self._codecs, work)

    async def inference(self, work: Callable[[], T]) -> T:
        """The result of an inference."""
        return await asyncio.get_running_loop().run_in_executor(self._inference, work)

    def close(self) -> None:
        """Wait for what is being worked on; what has not begun is given up."""
        for executor in (self._codecs, self._inference):
            executor.shutdown(cancel_futures=True)
