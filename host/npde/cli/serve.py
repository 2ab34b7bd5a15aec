"""``npde serve``: boards behind HTTP, until it is interrupted."""

from __future__ import annotations

import contextlib
import json as jsonlib
import signal
import threading
from functools import partial
from typing import Annotated

import typer

from npde.cli.link import AUTO, Baud, open_board
from npde.cli.output import AsJson, complaints, results
from npde.models import load_model
from npde.serve.boards import RECONNECT, Boards


def serve(
    model: Annotated[str, typer.Option("--model", help="A model file, or a shipped one: digits, fashion.")] = "digits",
    port: Annotated[
        list[str] | None,
        typer.Option("--port", help="A board: /dev/ttyUSB1 or virtual:icebreaker; several times for several."),
    ] = None,
    baud: Baud = AUTO,  # type: ignore[assignment]
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, 127.0.0.1 by default; with it any Host header is taken.")
    ] = None,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port to listen on; 0 for any free one.")] = 8080,
    reconnect: Annotated[
        float, typer.Option(min=0, help="Seconds a request waits for a board that went away.")
    ] = RECONNECT,
    json: AsJson = False,
) -> None:
    """Answer inference over HTTP, with a page to draw on: the board's answer beside golden's field, step by step."""
    from npde.serve.api import Api
    from npde.serve.server import LOOPBACK, Server

    subject = load_model(model)
    openers = [partial(open_board, name, baud, model, subject.program) for name in port or ["virtual:icebreaker"]]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The address first: that it is taken should be known before boards are simulated.
    with Server(host or LOOPBACK, http_port, any_host=host is not None) as server:
        if host is not None:
            complaints.print(
                f"npde: with --host {host} whoever reaches that address can use the board, "
                "under any name and without a password",
                markup=False, highlight=False, soft_wrap=True,
            )  # fmt: skip
        with Boards(openers, subject, reconnect=reconnect) as boards:
            server.api = Api(boards)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
                if json:
                    print(jsonlib.dumps({"url": server.url, "boards": len(openers)}), flush=True)
                else:
                    results.print(f"{model} is at {server.url}; interrupt to stop", highlight=False)
                threading.Event().wait()
            server.drain()
