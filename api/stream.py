"""`WS /stream`: frames in, masks out, the newest frame first.

Each binary message is one encoded frame; `seq` counts them from 0. Of the frames that wait, the newest alone is kept:
a client that sends faster than the server works gets fewer masks, never older ones. For each frame that was worked on,
in the order of `seq`, there is a text message, and after it a binary one if it says nothing of an error:

    {"seq": 7, "passed_over": 2, "timings_ms": {"decode": 4.1, "queue": 0.3, "infer": 40.2, "encode": 2.0}}   and a PNG
    {"seq": 8, "passed_over": 0, "error": "the PNG image is truncated ..."}

With `?confidence=1` the former says `mean_confidence` and `quality`, too; with `?min_confidence=` pixels of the masks
are void where the model is not sure enough.

`passed_over` counts the frames between this one and the one that was answered before it. A stream holds at most one
frame that waits, IN_FLIGHT that are worked on or not read by the client yet, and what the server buffers of a message:
frames of a client that does not read are passed over. It ends with the close code

- 1003 after a text message, which is no frame;
- 1012 when the server stops; what was being worked on comes first;
- 1013 when its model is not there any more.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from api import confidence, errors
from api.confidence import Wanted
from api.errors import RequestMalformed, Unavailable
from api.handshakes import refuse
from api.model import Model
from api.segment import Segmentation
from api.service import Service
from runtime.errors import FrameError, ModelNotFound, QueueFull, Stopping
from runtime.jobs import Job

IN_FLIGHT = 2
"""Frames of one stream that are worked on at a time: one is decoded or encoded while the other is inferred."""

RETRY_S = 0.01
"""Until a frame that found the queue full is offered again; a newer one may have taken its place by then."""

NO_FRAME, STOPPING, TRY_AGAIN_LATER = 1003, 1012, 1013
"""Close codes (RFC 6455, 7.4.1, and IANA's registry)."""

MAX_REASON_BYTES = 123
"""Of a close frame's reason (RFC 6455, 5.5)."""


async def stream(websocket: WebSocket) -> None:
    """Serve one client until it or the server ends the stream."""
    service: Service = websocket.app.state.service
    asked = websocket.query_params.get("model")
    try:
        if service.scheduler.draining:
            service.scheduler.check()
        model = await service.models.get(asked)
        wanted = confidence.wanted(websocket.query_params, model)
    except (ModelNotFound, RequestMalformed, Unavailable, Stopping) as error:
        errors.count(error, service.metrics)
        refusal = errors.answer(websocket.url.path, error)
        await refuse(websocket.scope, websocket.receive, websocket.send, refusal)
        return
    told = {"roadmask-model": model.name, "roadmask-provider": model.provider}
    await websocket.accept(headers=[(name.encode(), value.encode()) for name, value in told.items()])
    await _Stream(websocket, service, asked, wanted).run()


@dataclass
class _Admitted:
    """A frame that is worked on."""

    seq: int
    passed_over: int
    model: Model
    work: Segmentation
    job: Job[bytes | dict[str, Any]]
    done: asyncio.Future[bytes | dict[str, Any]]


class _Stream:
    """One client's frames. Belongs to the event loop's thread."""

    def __init__(self, websocket: WebSocket, service: Service, asked: str | None, wanted: Wanted) -> None:
        self._websocket, self._service, self._asked, self._wanted = websocket, service, asked, wanted
        self._turns = service.stream_places
        self._received = 0
        self._newest: tuple[int, bytes] | None = None
        """The frame that waits, and before it its seq."""
        self._last_seq = -1
        """Of the frame that was admitted last."""
        self._unanswered = 0
        """Frames that were admitted and whose answer is not sent."""
        self._changed = asyncio.Event()
        """Set when a frame has come, or an answer has gone."""
        self._admitted: asyncio.Queue[_Admitted | None] = asyncio.Queue()
        """In the order of seq; None is the end."""
        self._in_work: set[Job[bytes | dict[str, Any]]] = set()
        self._end: tuple[int, str] | None = None
        """The close code and why, once no frame is admitted any more."""

    async def run(self) -> None:
        """Until the client has left, or has all its answers and was told the end."""
        receiving = asyncio.create_task(self._receive())
        submitting = asyncio.create_task(self._submit())
        answering = asyncio.create_task(self._answer())
        tasks: list[asyncio.Task[Any]] = [receiving, submitting, answering]
        try:
            while not (answering.done() or (receiving.done() and receiving.result())):
                going = [task for task in tasks if not task.done()]
                done, _ = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # what it raised
        except WebSocketDisconnect:
            pass  # it left while it was being answered
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for job in list(self._in_work):
                job.abandon()
                self._service.metrics.abandoned()

    def _stop(self, code: int, reason: str) -> None:
        """Admit nothing more; what was admitted is answered."""
        if self._end is None:
            self._end = (code, reason)
            self._newest = None
            self._admitted.put_nowait(None)
            self._changed.set()

    async def _receive(self) -> bool:
        """Keeps the newest frame, until there is nothing more to come. Whether that is because the client left."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                if message["code"] == STOPPING and self._service.scheduler.draining:
                    self._stop(STOPPING, "the server is stopping")
                    return False
                return True
            data = message.get("bytes")
            if data is None:
                self._stop(NO_FRAME, "a text message is no frame: send each frame as one binary message")
            elif self._end is None:
                self._newest = (self._received, bytes(data))
                self._received += 1
                self._changed.set()

    async def _submit(self) -> None:
        """Offers the newest frame to the scheduler whenever there is one and room for it."""
        while self._end is None:
            if self._newest is None or self._unanswered >= IN_FLIGHT:
                self._changed.clear()
                await self._changed.wait()
                continue
            await self._turns.acquire()
            was_admitted = False
            try:
                was_admitted = await self._admit()
            finally:
                if not was_admitted:
                    self._turns.release()
            if not was_admitted:
                await asyncio.sleep(RETRY_S)

    async def _admit(self) -> bool:
        """Whether there was a place for the newest frame."""
        try:
            # Asked for each frame: a model that is loaded anew serves from the next frame on.
            model = await self._service.models.get(self._asked)
            if self._newest is None:
                return False
            seq, data = self._newest
            work = Segmentation(model, lambda: data, self._service.limits, wanted=self._wanted)
            job, done = self._service.submit(model, work.prepare, work.finish, confidence=model.has_confidence)
        except QueueFull:
            return False
        except Stopping as error:
            self._stop(STOPPING, str(error))
            return False
        except (ModelNotFound, Unavailable) as error:
            self._stop(TRY_AGAIN_LATER, str(error))
            return False
        self._admitted.put_nowait(_Admitted(seq, seq - self._last_seq - 1, model, work, job, done))
        self._in_work.add(job)
        done.add_done_callback(lambda _done: self._end_turn(job))
        self._newest, self._last_seq = None, seq
        self._unanswered += 1
        return True

    def _end_turn(self, job: Job[bytes | dict[str, Any]]) -> None:
        """Called when a job is over, be the stream over too or not."""
        self._turns.release()
        self._in_work.discard(job)

    async def _answer(self) -> None:
        """Sends what has become of each admitted frame, and in the end why it is the end."""
        while (admitted := await self._admitted.get()) is not None:
            await asyncio.wait((admitted.done,))
            await self._send(admitted)
            self._unanswered -= 1
            self._changed.set()
        assert self._end is not None
        code, reason = self._end
        if code == NO_FRAME:
            await self._websocket.send_text(json.dumps({"error": reason}))
        await self._websocket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))

    async def _send(self, admitted: _Admitted) -> None:
        told: dict[str, Any] = {"seq": admitted.seq, "passed_over": admitted.passed_over}
        self._service.metrics.stream(admitted.passed_over)
        try:
            mask = admitted.done.result()
        except (FrameError, QueueFull) as error:
            await self._websocket.send_text(json.dumps({**told, "error": str(error)}))
            return
        assert isinstance(mask, bytes)
        model, work, timings = admitted.model, admitted.work, admitted.job.timings
        self._service.metrics.frame(model.name, model.provider, timings, work.pixels, work.quality)
        self._service.statistics.success(model, admitted.job)
        told["timings_ms"] = timings.as_dict()
        if self._wanted.in_answer and work.quality is not None:
            told |= confidence.told(work.quality)
        await self._websocket.send_text(json.dumps(told))
        await self._websocket.send_bytes(mask)
