"""A small synchronous client of a node's HTTP surface."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from hanse.client.errors import ClientError

BASE = "/api/v1"
# what a run waits for between two looks, seconds; the node holds the call open that long
FOLLOW_SECONDS = 20
ENDED = frozenset({"done", "failed", "cancelled"})


class Reply:
    """A streamed answer: its status, headers and bytes."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Iterator[bytes]:
        """The body, as it comes."""
        try:
            yield from self._response.iter_bytes()
        except httpx.TransportError as error:
            raise ClientError(
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
    """Asks one node, as the bearer of one token."""

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        on_close: Callable[[], None] | None = None,
        timeout: float = 330.0,
    ) -> None:
        headers = {"user-agent": "hanse"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self.address = address.rstrip("/")
        self._on_close = on_close
        # a proxy of the environment must not see tokens of a local node
        self._http = httpx.Client(
            base_url=self.address,
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(timeout, connect=5.0),
            trust_env=False,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at `path` (below /api/v1 unless it says otherwise); raise `ClientError`."""
        return self._json("GET", path, params=params)

    def post(self, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Post `body` as JSON and read the JSON that comes back; raise `ClientError`."""
        return self._json("POST", path, json=body if body is not None else {}, params=params)

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
        """An answer read piece by piece; raise `ClientError` when it is a refusal."""
        try:
            with self._http.stream(
                method, _path(path), json=body, params=_given(params), headers={"accept": accept, **(headers or {})}
            ) as response:
                if response.status_code >= 400:
                    response.read()
                    raise _error(response)
                yield Reply(response)
        except httpx.TransportError as error:
            raise ClientError.unreachable(self.address, _reason(error)) from error

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
            raise ClientError(dict(told["problem"]))
        return told.get("result")

    def close(self) -> None:
        """Let go of the connection, and of the node when it runs in this process."""
        self._http.close()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def _json(self, method: str, path: str, **more: Any) -> Any:
        more["params"] = _given(more.get("params"))
        try:
            response = self._http.request(method, _path(path), **more)
        except httpx.TransportError as error:
            raise ClientError.unreachable(self.address, _reason(error)) from error
        if response.status_code >= 400:
            raise _error(response)
        if not response.content:
            return None
        try:
            return response.json()
        except json.JSONDecodeError as error:
            raise ClientError({"code": "http.not-a-node", "detail": f"{self.address} does not speak hanse"}) from error


def _path(path: str) -> str:
    return path if path.startswith(("/api/", "/.well-known/", "/health", "/ready", "/metrics")) else BASE + path


def _given(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in params.items() if value is not None} if params else None


def _reason(error: httpx.TransportError) -> str:
    return "it did not answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or "no connection"


def _error(response: httpx.Response) -> ClientError:
    try:
        problem = response.json()
    except json.JSONDecodeError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"{response.request.url.host} answered {response.status_code}"}
    return ClientError(problem, response.status_code)
