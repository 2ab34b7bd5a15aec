"""A headless Chromium, told what to do over its debugging pipe: JSON messages, each ended by a zero byte."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from typing import Any

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking",
    "--disable-dev-shm-usage", "--remote-debugging-pipe", "--window-size=1200,800",
)  # fmt: skip


class Browser:
    """One page of ``program``, its profile in ``folder``; waits end in an assertion after ``patience`` seconds."""

    def __init__(self, program: str, folder: str, patience: float = 60.0):
        self.patience, self.number, self.received = patience, 0, b""
        self.events: list[dict[str, Any]] = []
        theirs, self.orders = os.pipe()
        self.answers, back = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        # The browser reads its third descriptor and writes its fourth.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{back}', "bash", *command],
            pass_fds=(theirs, back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(back)
        (target,) = [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self.session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        order = {"id": self.number, "method": method, "params": params}
        if hasattr(self, "session"):
            order["sessionId"] = self.session
        os.write(self.orders, json.dumps(order).encode() + b"\0")
        until = time.monotonic() + self.patience
        while True:
            while b"\0" not in self.received:
                assert select.select([self.answers], [], [], max(0, until - time.monotonic()))[0], (
                    f"{method} was not answered"
                )
                piece = os.read(self.answers, 1 << 16)
                assert piece, "the browser ended"
                self.received += piece
            text, _, self.received = self.received.partition(b"\0")
            told = json.loads(text)
            if told.get("id") == self.number:
                assert "error" not in told, told
                return told["result"]
            self.events.append(told)

    def value(self, script: str) -> Any:
        """What a script's expression is on the page."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait(self, script: str) -> Any:
        """The expression's value once it is neither empty nor false."""
        until = time.monotonic() + self.patience
        while not (found := self.value(script)):
            assert time.monotonic() < until, (
                f"{script} did not come true; the page says {self.value('document.body.innerText')!r}"
            )
            time.sleep(0.05)
        return found

    def mouse(self, kind: str, x: float, y: float) -> None:
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def stroke(self, points: list[tuple[float, float]]) -> None:
        """Press at the first point, move along, let go at the last."""
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1])

    def picture(self) -> bytes:
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.orders)
        os.close(self.answers)
