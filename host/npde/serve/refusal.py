"""A request that is not carried out."""

from __future__ import annotations

from http import HTTPStatus


class Refusal(Exception):
    """``sentence`` says what was wrong and what would be right; ``headers`` go with the answer."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None):
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}
