"""What each path does: no socket and no HTTP but statuses and headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib import resources
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np

from npde.errors import LinkError, ProgramError
from npde.serve.boards import Boards
from npde.serve.refusal import Refusal
from npde.serve.samples import raw_range, reply, samples
from npde.serve.steps import steps

JSON = "application/json"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's script and style are in it; it may ask this service and nobody else."""


class Reply(NamedTuple):
    """A status, the body and its kind, and further headers."""

    status: HTTPStatus
    body: bytes
    kind: str = JSON
    headers: Mapping[str, str] = MappingProxyType({})


class Api:
    """The paths in front of ``boards``.

    :meth:`route` finds what to do, which takes the body and gives the :class:`Reply`. Both raise :class:`Refusal`.
    """

    def __init__(self, boards: Boards):
        self.boards, self.model = boards, boards.model
        self._page = resources.files("npde.serve").joinpath("page.html").read_bytes()
        self._routes: dict[str, tuple[str, Callable[[bytes], Reply]]] = {
            "/": ("GET", self._draw),
            "/model": ("GET", self._describe),
            "/health": ("GET", self._health),
            "/infer": ("POST", self._infer),
            "/steps": ("POST", self._steps),
        }

    def route(self, method: str, path: str) -> Callable[[bytes], Reply]:
        """What answers ``method`` on ``path``; 404 and 405 are told here, before any body is read."""
        if path not in self._routes:
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is no {path[:80]!r} here; there are {', '.join(self._routes)}")
        allowed, act = self._routes[path]
        if method != allowed and (method, allowed) != ("HEAD", "GET"):
            allow = "GET, HEAD" if allowed == "GET" else allowed
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allow}, not {method[:20]}", {"Allow": allow})
        return act

    def _draw(self, _: bytes) -> Reply:
        return Reply(HTTPStatus.OK, self._page, "text/html; charset=utf-8", {"Content-Security-Policy": POLICY})

    def _describe(self, _: bytes) -> Reply:
        program, notes = self.model.program, self.model.notes
        grid = program.output
        return _json({
            "name": program.name, "hash": self.model.content_hash.hex(), "shape": program.input.shape,
            "labels": list(range(grid.size)) if program.argmax else None, "range": raw_range(self.model),
            "output": {"shape": grid.shape, "width": grid.q.width, "frac": grid.q.frac}, "notes": dict(notes),
            "board": [
                {"name": told.board, "build": told.build.hex(), "clock": told.clock, "baud": told.baud}
                for told in self.boards.told if told is not None
            ],
        })  # fmt: skip

    def _health(self, _: bytes) -> Reply:
        """Asks: a board that was unplugged while nobody used it is not known to be lost."""
        low, high = raw_range(self.model)
        self._asked(np.full((1, *self.model.program.input.shape), low if np.isfinite(low) else min(0.0, high)))
        return _json({"status": "ok"})

    def _infer(self, body: bytes) -> Reply:
        return _json(reply(self.model, self._asked(samples(self.model, body))))

    def _steps(self, body: bytes) -> Reply:
        raw = samples(self.model, body)
        if len(raw) != 1:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"/steps follows one sample, not {len(raw)}; /infer takes many")
        return _json(steps(self.model, raw, self._asked(raw)))

    def _asked(self, raw: np.ndarray):
        try:
            return self.boards.infer(raw)
        except ProgramError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
        except LinkError as error:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"no board answers: {error}", {"Retry-After": "1"}) from error


def refused(refusal: Refusal) -> Reply:
    """The reply that says so: ``{"error": sentence}``."""
    return Reply(
        refusal.status, msgspec.json.encode({"error": " ".join(refusal.sentence.split())}), headers=refusal.headers
    )


def _json(value: Any) -> Reply:
    return Reply(HTTPStatus.OK, msgspec.json.encode(value))
