"""HTTP/1.1 in front of the API, on the standard library's threading server.

Few people share one board, and each request waits for its wire: a thread a connection is enough, and an asynchronous
framework would be a dependency without a gain. What the library leaves open is here: errors as JSON, a limit to bodies,
the Host header (a page elsewhere may point its own name at this address, DNS rebinding), and an end that answers
whatever is under way. ``application/json`` is asked of each body, which a page elsewhere cannot send unasked either.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from npde.errors import NpdeError
from npde.serve.api import JSON, Api, Reply, refused
from npde.serve.refusal import Refusal

LOOPBACK = "127.0.0.1"
BODY_BYTES = 4 << 20
"""The longest body: several hundred images of 28×28."""
PATIENCE = 10.0
"""Seconds a connection may be silent."""
LINGER = 2.0
"""Seconds in which the rest of a refused body is read and thrown away, so that the refusal reaches its sender."""


class AddressError(NpdeError, OSError):
    """An address that cannot be served at."""

    exit_code = 2


class Server(ThreadingHTTPServer):
    """Listens on ``host`` and ``port`` (0: any free one); ``api`` is set before :meth:`serve_forever` is called.

    ``any_host``: take any Host header. Raises :class:`AddressError` when that address cannot be had.
    """

    daemon_threads = True
    api: Api

    def __init__(self, host: str = LOOPBACK, port: int = 0, *, any_host: bool = False, body_bytes: int = BODY_BYTES):
        self.any_host, self.body_bytes = any_host, body_bytes
        self._change = threading.Condition()
        self._waiting: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        self.draining = False
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise AddressError(
                f"nothing can be served at {host} port {port}: {error.strerror or error}; choose another"
            ) from error

    def server_bind(self) -> None:
        """Without the library's look-up of this machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    @property
    def _name(self) -> str:
        host = str(self.server_address[0])
        return f"[{host}]" if ":" in host else host

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{self._name}:{self.server_port}/"

    def serves(self, host: str) -> bool:
        """Whether a Host header names this service."""
        names = {self._name, "localhost", LOOPBACK}
        allowed = {f"{name}:{self.server_port}" for name in names} | (names if self.server_port == 80 else set())
        return self.any_host or host.lower() in allowed

    def waits(self, connection: socket.socket) -> None:
        """``connection`` has no request under way."""
        with self._change:
            self._busy.discard(connection)
            self._waiting.add(connection)
            self._change.notify_all()

    def works(self, connection: socket.socket) -> None:
        """A request came on ``connection``."""
        with self._change:
            self._waiting.discard(connection)
            self._busy.add(connection)

    def gone(self, connection: socket.socket) -> None:
        """``connection`` ends."""
        with self._change:
            self._waiting.discard(connection)
            self._busy.discard(connection)
            self._change.notify_all()

    def drain(self) -> None:
        """Take no more connections, answer the requests under way, and return.

        :meth:`serve_forever` runs in another thread.
        """
        self.draining = True
        self.shutdown()
        self.server_close()
        with self._change:
            self._change.wait_for(lambda: not self._busy)
            for connection in self._waiting:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's error; anything else is a fault of this program and told whole."""
        traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.waits(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        except ConnectionError:
            self.close_connection = True
        finally:
            self.server.gone(self.connection)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True
        finally:
            self.server.waits(self.connection)
            self.close_connection = self.close_connection or self.server.draining

    def parse_request(self) -> bool:
        self.server.works(self.connection)
        return super().parse_request()

    def _answer(self) -> None:
        self._unread = "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0").strip() != "0"
        try:
            self._check_host()
            act = self.server.api.route(self.command, urlsplit(self.path).path)
            reply = act(self._body() if self.command == "POST" else b"")
        except Refusal as refusal:
            reply = refused(refusal)
        except Exception:
            traceback.print_exc()
            reply = refused(
                Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of this program, told on its standard error")
            )
        self._send(reply)
        if self._unread:
            self._linger()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer

    def _check_host(self) -> None:
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 and self.request_version != "HTTP/1.0":
            raise Refusal(HTTPStatus.BAD_REQUEST, f"a request has one Host header, not {len(hosts)}")
        if not all(map(self.server.serves, hosts)) or not (hosts or self.server.any_host):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this is {self.server.url}, not {', '.join(hosts)[:80] or 'a host without a name'}; "
                "npde serve --host serves other names",
            )

    def _body(self) -> bytes:
        kind = self.headers.get_content_type() if "Content-Type" in self.headers else "none"
        if kind != JSON:
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body's Content-Type is {kind[:80]}; send {JSON}")
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            raise Refusal(
                HTTPStatus.LENGTH_REQUIRED, "the body's length is missing; send Content-Length and no Transfer-Encoding"
            )
        if len(set(lengths)) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise Refusal(HTTPStatus.BAD_REQUEST, "Content-Length is not one number of bytes")
        if len(lengths[0]) > 18 or int(lengths[0]) > self.server.body_bytes:
            limit = self.server.body_bytes
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has {lengths[0][:20]} bytes; {limit} is the most, send fewer samples",
            )
        length = int(lengths[0])
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            raise Refusal(
                HTTPStatus.REQUEST_TIMEOUT, f"the body's {length} bytes did not come within {PATIENCE:g} s"
            ) from None
        if len(body) < length:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"the body ended after {len(body)} of {length} bytes")
        self._unread = False
        return body

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        ends = self._unread or self.server.draining
        headers = {
            "Content-Type": reply.kind, "Content-Length": str(len(reply.body)), "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff", **({"Connection": "close"} if ends else {}), **reply.headers,
        }  # fmt: skip
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library itself refuses: a request line or headers that are none, a method it does not know."""
        self._unread, self.close_connection = True, True
        self.request_version = self.protocol_version  # a line that is no request would be answered without headers
        self.command = self.command or "GET"
        status = HTTPStatus(code)
        self._send(refused(Refusal(status, message or status.phrase)))

    def _linger(self) -> None:
        self.close_connection = True
        until = time.monotonic() + LINGER
        try:
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER / 4)
            while time.monotonic() < until and self.connection.recv(1 << 16):
                pass
        except OSError:
            return

    def version_string(self) -> str:
        return "npde"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""
