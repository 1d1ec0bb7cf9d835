"""The place on this machine that a browser brings a sign-in's code back to (RFC 8252 §7.3)."""

from __future__ import annotations

import hmac
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from hanse.errors import HanseError, Kind, code

_DONE = b"<!doctype html><meta charset=utf-8><title>hanse</title><p>You can close this page: the terminal goes on."


class NotSignedInByBrowser(HanseError):
    kind = Kind.DENIED
    code = code(
        "identity.browser-sign-in",
        Kind.DENIED,
        "The browser brought no sign-in back",
        "Its page was closed, refused, or nobody opened it in time.",
        "Begin again: hanse login, or hanse login --device.",
    )


class Loopback:
    """Listens on a free port of 127.0.0.1 for one answer that carries `state`."""

    def __init__(self, state: str) -> None:
        self._came = threading.Event()
        self._answer: dict[str, str] = {}
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = dict(parse_qsl(urlsplit(self.path).query))
                known = hmac.compare_digest(said.get("state", "").encode(), state.encode())
                self.send_response(200 if known else 400)
                self.send_header("content-type", "text/html")
                self.send_header("content-security-policy", "default-src 'none'")
                self.end_headers()
                if known and not loopback._came.is_set():
                    self.wfile.write(_DONE)
                    loopback._answer = said
                    loopback._came.set()

            def log_message(self, format: str, *args: object) -> None:
                """The code stands in the path: nothing is logged."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def wait(self, seconds: float) -> str:
        """The code that came back; raise `NotSignedInByBrowser`."""
        if not self._came.wait(seconds):
            raise NotSignedInByBrowser(
                f"the browser brought nothing back in {seconds:.0f} s", mend="hanse login --device"
            )
        if "code" not in self._answer:
            raise NotSignedInByBrowser("the sign-in was refused in the browser", mend="hanse login")
        return self._answer["code"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
