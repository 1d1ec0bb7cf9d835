"""How a request reaches a node: over HTTP, or handed to one that runs in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import urllib3

CONNECT_SECONDS = 5.0
_CHUNK = 64 * 1024


class BrokenError(Exception):
    """No answer, or one that broke off; the text says why."""


class Response(Protocol):
    """An answer whose body has not been read."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def chunks(self) -> Iterator[bytes]:
        """The body as it comes; raises `BrokenError` when it ends early."""

    def close(self) -> None:
        """Let go of it, read or not."""


class Transport(Protocol):
    """Sends requests."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        """Send one request; raises `BrokenError` when there is no answer. Redirects are not followed."""

    def close(self) -> None: ...


class Http:
    """HTTP/1.1 with kept connections; safe to use from several threads.

    Proxies of the environment are not asked: they must not see tokens of a local node.
    """

    def __init__(self, *, timeout: float) -> None:
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=timeout), retries=False, maxsize=8
        )

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        try:
            response = self._pool.request(
                method, url, body=body, headers=dict(headers), preload_content=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise BrokenError(_reason(error)) from error
        return _HttpResponse(response)

    def close(self) -> None:
        self._pool.clear()


class _HttpResponse:
    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._ended = False
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream(_CHUNK, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BrokenError(_reason(error)) from error
        self._ended = True

    def close(self) -> None:
        # what was not read to its end is cut, so that the node stops sending it
        if self._ended:
            self._response.release_conn()
        else:
            self._response.close()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "it did not answer in time"
    if isinstance(error, urllib3.exceptions.SSLError):
        return f"its certificate is not trusted: {error}"
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return "no connection"
