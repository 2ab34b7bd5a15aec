"""The boards behind the service: a pool that is opened again once all of its boards were lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError

from numpy.typing import NDArray

from npde.errors import LinkError
from npde.golden import Answer
from npde.link.board import Board
from npde.link.pool import Pool
from npde.link.protocol import Info
from npde.model import Model

RECONNECT = 3.0
"""Seconds a request waits for a board that went away, by default."""


class Boards:
    """``openers`` give each board, at first and again after it failed; ``told`` is what each last said of itself.

    Any thread may call :meth:`infer`. Raises :class:`LinkError` when a board cannot be opened or loaded at first.
    """

    def __init__(self, openers: Sequence[Callable[[], Board]], model: Model, *, reconnect: float = RECONNECT):
        self.model, self.reconnect = model, reconnect
        self.told: list[Info | None] = [None] * len(openers)
        self._openers = [self._noting(number, opener) for number, opener in enumerate(openers)]
        self._lock = threading.Lock()
        self._closed = False
        self._pool: Pool | None = Pool(self._openers, model, reconnect=reconnect)

    def infer(self, raw: NDArray) -> Answer:
        """Answers to raw samples (batch, height, width, channels); raises :class:`LinkError` when no board is left."""
        pool = self._opened()
        try:
            return pool.infer(raw)
        except LinkError:  # the pool's last board was given up
            with self._lock:
                mine, self._pool = self._pool is pool, None if self._pool is pool else self._pool
            if mine:
                pool.close()
            raise
        except CancelledError:
            raise LinkError("the boards were given back") from None

    def close(self, *, cancel: bool = False) -> None:
        """Give the boards back, once all is answered, or with ``cancel`` what they were already given."""
        with self._lock:
            self._closed, pool, self._pool = True, self._pool, None
        if pool is not None:
            pool.close(cancel=cancel)

    def __enter__(self) -> Boards:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(cancel=kind is not None)

    def _noting(self, number: int, opener: Callable[[], Board]) -> Callable[[], Board]:
        def opened() -> Board:
            board = opener()
            self.told[number] = board.info
            return board

        return opened

    def _opened(self) -> Pool:
        """The pool, or a new one of those boards that are there again."""
        with self._lock:
            if self._closed:
                raise LinkError("the boards were given back")
            if self._pool is None:
                self._pool = Pool(self._back(), self.model, reconnect=self.reconnect)
            return self._pool

    def _back(self) -> list[Callable[[], Board]]:
        """Openers of the boards that can be opened now, each of which gives the board just opened first."""
        found: list[Callable[[], Board]] = []
        lost = LinkError("there is no board")
        for opener in self._openers:
            try:
                first = [opener()]
            except LinkError as error:
                lost = error
                continue
            found.append(lambda first=first, opener=opener: first.pop() if first else opener())  # type: ignore[misc]
        if not found:
            raise lost
        return found
