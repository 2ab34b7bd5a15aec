"""Several boards as one: a future for each sample, idle boards take work from busy ones, and a board that dies loses nothing.

Each board has a thread and a queue of its own. Samples a board was given when it failed go back to the front of its queue,
where others may take them, while it is opened anew; each future is settled once, whoever answered.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npde.errors import LinkError, NpdeError
from npde.golden import Answer
from npde.link.board import Board
from npde.model import Model

BATCH = 64
"""Samples a board is given at once."""
RETRY = 0.2
"""Seconds between attempts to open a board that went away."""


class Job(NamedTuple):
    """One sample (1, height, width, channels) and where its answer goes."""

    raw: NDArray
    future: Future[Answer]


class Pool:
    """Boards that hold one model. ``openers`` give each board, again after it failed; ``reconnect``: seconds tried for.

    Raises :class:`LinkError` when a board cannot be opened or loaded at first. When the last board is given up, every
    future that waits gets its error.
    """

    def __init__(self, openers: Sequence[Callable[[], Board]], model: Model, *, reconnect: float = 10.0, batch: int = BATCH):
        if not openers:
            raise LinkError("a pool has at least one board")
        self.model, self.reconnect, self.batch = model, reconnect, batch
        self._openers = list(openers)
        self._change = threading.Condition()
        self._queues: list[deque[Job]] = [deque() for _ in openers]
        self._closing = False
        self._failure: NpdeError | None = None
        boards: list[Board] = []
        try:
            for number in range(len(self._openers)):
                boards.append(self._opened(number))
        except BaseException:
            for board in boards:
                board.close()
            raise
        self.answered = [0] * len(boards)
        """Samples each board answered."""
        self._alive = len(boards)
        self._threads = [threading.Thread(target=self._work, args=(n, board), daemon=True) for n, board in enumerate(boards)]
        for thread in self._threads:
            thread.start()

    @classmethod
    def open(cls, ports: Sequence[str], model: Model, *, baud: int | None = None, reconnect: float = 10.0) -> Pool:
        """A pool of the boards on these ports, named as for :meth:`Board.open`."""
        return cls([lambda port=port: Board.open(port, model.program, baud=baud) for port in ports], model, reconnect=reconnect)  # type: ignore[misc]

    def submit(self, sample: ArrayLike) -> Future[Answer]:
        """The future answer, a batch of one, to a raw sample (height, width[, channels])."""
        raw = np.asarray(sample)[None]
        self.model.quantise_input(raw)  # what no board could take is refused here
        future: Future[Answer] = Future()
        with self._change:
            if self._closing or self._failure:
                raise self._failure or LinkError("the pool is closed")
            min(self._queues, key=len).append(Job(raw, future))
            self._change.notify_all()
        return future

    def infer(self, raw: ArrayLike) -> Answer:
        """Answers to raw samples (batch, height, width[, channels]), in their order."""
        return _joined([future.result() for future in [self.submit(sample) for sample in np.asarray(raw)]])

    async def infer_async(self, raw: ArrayLike) -> Answer:
        """The same for asyncio: other tasks run meanwhile."""
        return _joined(await asyncio.gather(*(asyncio.wrap_future(self.submit(sample)) for sample in np.asarray(raw))))

    def close(self, *, cancel: bool = False) -> None:
        """Answer what was submitted, then give the boards back; with ``cancel`` only what a board was already given."""
        with self._change:
            self._closing = True
            if cancel:
                for queue in self._queues:
                    # What came back from a lost board is running, and is to be settled.
                    kept = [job for job in queue if not job.future.cancel()]
                    queue.clear()
                    queue.extend(kept)
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, number: int) -> Board:
        """The board with the model on it: its weights may have gone with its power."""
        board = self._openers[number]()
        try:
            board.load(self.model)
        except BaseException:
            board.close()
            raise
        return board

    def _work(self, number: int, board: Board | None) -> None:
        until: float | None = None
        while board is not None and (jobs := self._taken(number)):
            try:
                answer = board.infer(np.concatenate([job.raw for job in jobs]))
            except LinkError as error:
                with self._change:
                    self._queues[number].extendleft(reversed(jobs))
                    self._change.notify_all()
                board.close()
                # From the first failure on, so that a board that comes back and fails each time is given up as well.
                until = time.monotonic() + self.reconnect if until is None else until
                board = self._again(number, error, until)
                continue
            until = None
            self.answered[number] += len(jobs)
            for index, job in enumerate(jobs):
                label = None if answer.label is None else answer.label[index : index + 1]
                job.future.set_result(Answer(answer.output[index : index + 1], label))
        if board is not None:
            board.close()

    def _taken(self, number: int) -> list[Job]:
        """Jobs for a board: its own, else half of the longest queue; none when the pool closes."""
        with self._change:
            while True:
                own = self._queues[number]
                if not own:
                    longest = max(self._queues, key=len)
                    for _ in range((len(longest) + 1) // 2):
                        own.appendleft(longest.pop())
                jobs = [own.popleft() for _ in range(min(self.batch, len(own)))]
                # A future that is running can no longer be cancelled, so that it is settled once.
                jobs = [job for job in jobs if job.future.running() or job.future.set_running_or_notify_cancel()]
                if jobs or (self._closing and not any(self._queues)):
                    return jobs
                self._change.wait()

    def _again(self, number: int, error: NpdeError, until: float) -> Board | None:
        """The board once it is back, or None when it stays away."""
        while time.monotonic() < until:
            try:
                return self._opened(number)
            except NpdeError as latest:  # another bitstream may be on it by then
                error = latest
                time.sleep(RETRY)
        with self._change:
            self._alive -= 1
            if not self._alive:
                self._failure = error
                for queue in self._queues:
                    while queue:
                        queue.popleft().future.set_exception(error)
            self._change.notify_all()
        return None


def _joined(answers: Sequence[Answer]) -> Answer:
    if not answers:
        raise LinkError("no samples were given")
    labels = [answer.label for answer in answers if answer.label is not None]
    return Answer(np.concatenate([answer.output for answer in answers]), np.concatenate(labels) if labels else None)
