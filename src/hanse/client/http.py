"""A small synchronous client of a node's HTTP surface."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from .errors import HanseError
from .transport import BrokenError, Http, Response, Transport

BASE = "/api/v1"
# what a run waits for between two looks, seconds; the node holds the call open that long
FOLLOW_SECONDS = 20
_JSON = {"accept": "application/json"}
ENDED = frozenset({"done", "failed", "cancelled"})
_ELSEWHERE = ("/api/", "/.well-known/", "/health", "/ready", "/metrics", "/sign-in")


class Reply:
    """A streamed answer: its status, headers and bytes."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Iterator[bytes]:
        """The body, as it comes; raise `HanseError` (`http.broken-answer`) when it ends early."""
        try:
            yield from self._response.chunks()
        except BrokenError as error:
            raise HanseError(
                {
                    "kind": "failed",
                    "code": "http.broken-answer",
                    "detail": "the answer broke off before its end: nothing of it may be taken as whole",
                    "mend": "ask again; a limit that was reached is named in the node's audit and log",
                }
            ) from error

    def text(self) -> str:
        return b"".join(self.chunks()).decode()


class Client:
    """Asks one node, as the bearer of one token. Safe to use from several threads."""

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        transport: Transport | None = None,
        on_close: Callable[[], None] | None = None,
        timeout: float = 330.0,
    ) -> None:
        self._headers = {"user-agent": "hanse"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self.address = address.rstrip("/")
        self._on_close = on_close
        self._transport: Transport = Http(timeout=timeout) if transport is None else transport

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at `path` (below /api/v1 unless it says otherwise); raise `HanseError`."""
        return self._json("GET", path, None, params)

    def post(self, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Post `body` as JSON and read the JSON that comes back; raise `HanseError`."""
        return self._json("POST", path, {} if body is None else body, params)

    def form(self, path: str, fields: Mapping[str, str]) -> Any:
        """Post `fields` as a form, as OAuth has it, and read the JSON that comes back; raise `HanseError`."""
        raw = urlencode(fields).encode()
        return self._read(self._sent("POST", path, raw, "application/x-www-form-urlencoded", None, _JSON))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = "application/json",
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Reply]:
        """An answer read piece by piece; raise `HanseError` when it is a refusal."""
        response = self._send(method, path, body, params, {"accept": accept, **(headers or {})})
        try:
            yield Reply(response)
        finally:
            response.close()

    def run(self, path: str, body: Any = None, on_event: Callable[[Mapping[str, Any]], None] | None = None) -> Any:
        """Start what `path` starts, follow it to its end, hand every event to `on_event`; return its result.

        An interrupt cancels the run on the node before it goes on.
        """
        started = self.post(path, body)
        run = started.get("run")
        if run is None:
            return started
        after = 0
        try:
            while True:
                told = self.get(f"/runs/{run}", {"after": after, "wait": FOLLOW_SECONDS})
                for event in told.get("events", ()):
                    after = max(after, int(event["number"]))
                    if on_event is not None:
                        on_event(event)
                if told["state"] in ENDED:
                    break
        except KeyboardInterrupt:
            self.post(f"/runs/{run}/cancel")
            raise
        if told.get("problem"):
            raise HanseError(told["problem"])
        return told.get("result")

    def close(self) -> None:
        """Let go of the connections, and of the node when it runs in this process."""
        self._transport.close()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def _json(self, method: str, path: str, body: Any, params: Mapping[str, Any] | None) -> Any:
        return self._read(self._send(method, path, body, params, _JSON))

    def _read(self, response: Response) -> Any:
        try:
            raw = b"".join(response.chunks())
        except BrokenError as error:
            raise HanseError.unreachable(self.address, str(error)) from error
        finally:
            response.close()
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError as error:
            raise HanseError(
                {"kind": "unavailable", "code": "http.not-a-node", "detail": f"{self.address} does not speak hanse"}
            ) from error

    def _send(
        self, method: str, path: str, body: Any, params: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Response:
        raw = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return self._sent(method, path, raw, "application/json", params, headers)

    def _sent(
        self,
        method: str,
        path: str,
        raw: bytes | None,
        kind: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Response:
        url = self.address + (path if path.startswith(_ELSEWHERE) else BASE + path)
        if query := _query(params):
            url += f"?{query}"
        told = {**self._headers, **headers}
        if raw is not None:
            told["content-type"] = kind
        try:
            response = self._transport.send(method, url, told, raw)
            if response.status < 300:
                return response
            try:
                refused = b"".join(response.chunks())
            finally:
                response.close()
        except BrokenError as error:
            raise HanseError.unreachable(self.address, str(error)) from error
        raise _refusal(self.address, response.status, refused)


def _query(params: Mapping[str, Any] | None) -> str:
    given = {name: _word(value) for name, value in (params or {}).items() if value is not None}
    return urlencode(given, doseq=True)


def _word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _refusal(address: str, status: int, raw: bytes) -> HanseError:
    try:
        problem = json.loads(raw)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"{address} answered {status}"}
    return HanseError(problem, status)
