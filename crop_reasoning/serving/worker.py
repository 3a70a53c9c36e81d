"""One thread that generates, one request at a time, behind a bounded queue.

The queue's bound is the server's memory bound: a request that finds it full is refused at once. Photos are decoded
here, too, so that never more than one is held decoded. This module knows neither HTTP nor the chat format.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import CropReasoningError
from crop_reasoning.serving.answer import CropAnswer, CropRequest, prepare, stream

TICK_S = 5.0


class Busy(CropReasoningError):
    """The queue is full; `retry_after_s` says when trying again may help."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} requests are already waiting; try again in about {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Refused(CropReasoningError):
    """The request itself cannot be answered: its photo or its words."""


Event = str | CropAnswer | Exception


@dataclass(slots=True)
class Job:
    """A request on its way: events come back on the loop that sent it."""

    photo: bytes
    request: CropRequest
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    given_up: threading.Event = field(default_factory=threading.Event)

    def tell(self, event: Event) -> None:
        try:
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
        except RuntimeError:  # the loop is closed: the server is gone, and with it whoever asked
            self.given_up.set()


class Worker:
    """Runs jobs until closed; `waiting` requests may queue beside the one that runs."""

    def __init__(self, engine: Engine, waiting: int) -> None:
        self.engine = engine
        self.queue: queue.Queue[Job | None] = queue.Queue(waiting)
        self.seconds = 1.0  # how long the last answer took
        self.thread = threading.Thread(target=self._work, name="generation", daemon=True)
        self.thread.start()

    async def events(self, photo: bytes, request: CropRequest) -> AsyncGenerator[str | CropAnswer | None, None]:
        """Pieces of text, then the answer; None every few seconds without news. Leaving early stops the generation.

        `Busy` if the queue is full, `Refused` for the photo or the words, other errors as the engine raised them.
        """
        job = Job(photo, request, asyncio.get_running_loop())
        try:
            self.queue.put_nowait(job)
        except queue.Full:
            size = self.queue.qsize()
            raise Busy(size, math.ceil(self.seconds * (size + 1))) from None
        try:
            while True:
                try:
                    event = await asyncio.wait_for(job.events.get(), TICK_S)
                except TimeoutError:
                    yield None
                    continue
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, CropAnswer):
                    return
        finally:
            job.given_up.set()

    def close(self) -> None:
        """Stop after the running job."""
        self.queue.put(None)
        self.thread.join(TICK_S)

    def _work(self) -> None:
        while (job := self.queue.get()) is not None:
            start = time.monotonic()
            try:
                self._answer(job)
            except Exception as problem:  # told to whoever asked; the next request must be served all the same
                job.tell(problem)
            self.seconds = time.monotonic() - start

    def _answer(self, job: Job) -> None:
        if job.given_up.is_set():
            return
        try:
            prepared = prepare(self.engine, job.photo, job.request)
        except CropReasoningError as problem:
            raise Refused(str(problem)) from None
        for event in stream(prepared):
            if job.given_up.is_set():
                return  # dropping the iterator closes the engine's stream
            job.tell(event)
