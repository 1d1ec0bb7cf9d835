"""A file at an http or https address, taken only when it is the one whose checksum is stated."""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from hanse.engine.sources import Connection, Given, Scan, Source, Wanted, options
from hanse.engine.sources.errors import (
    BadConnection,
    SourceAbsent,
    SourceBadOption,
    SourceChecksum,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
)
from hanse.engine.sources.files import scan_of
from hanse.engine.sources.landing import too_large
from hanse.errors import HanseError

_KEYS = ("url", "user", "password", "token")
_OWN = ("url", "path", "format", "sha256", "unchecked", "window", "changed")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REDIRECTS = 5
_CHUNK = 1 << 20
_SIDE_BYTES = 64 * 1024
_NAME = re.compile(r"[^A-Za-z0-9._-]")


class Http:
    """The kind `http`: `url`, or `path` below the connection's url; `sha256`: 64 digits, or the file that has them."""

    remote = True

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """Fetch the file into `folder`; it is read there, whole, by its format."""
        url = _url(source, given)
        expected = _expected(source, given, url)
        name = _NAME.sub("_", PurePosixPath(unquote(urlsplit(url).path)).name)[-100:] or "file"
        out = folder / name
        digest = hashlib.sha256()
        size = 0
        with _opened("GET", source, given, url) as answer, out.open("wb") as file:
            for chunk in _chunks(source, answer):
                size += len(chunk)
                if size > given.most_bytes:
                    raise too_large(source)
                digest.update(chunk)
                file.write(chunk)
        if expected is not None and digest.hexdigest() != expected:
            raise SourceChecksum(
                f"source {source.name!r}: the file has the sha256 {digest.hexdigest()}, stated is {expected}",
                where=str(source.place),
                mend=f"when the new file is right, write sha256: {digest.hexdigest()}",
            )
        return Scan(source.name, scan_of(source, [out], _OWN), (out,))

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """The checksum; of an unchecked file what the server says of its version, if it says anything."""
        url = _url(source, given)
        expected = _expected(source, given, url)
        if expected is not None:
            return expected
        with _opened("HEAD", source, given, url) as answer:
            told = [answer.getheader(name) for name in ("ETag", "Last-Modified", "Content-Length")]
        return "/".join(one or "" for one in told) if told[0] or told[1] else None

    def check(self, given: Given) -> str:
        """What the connection's url answers; that there is nothing at the url itself is no failure."""
        assert given.connection is not None
        link = options.checked(given.connection, _KEYS)
        from hanse.errors import Place

        source = Source(link.name, link.kind, {}, Place("domain.yaml"))
        try:
            with _opened("HEAD", source, given, options.text(link, "url")) as answer:
                return f"answers {answer.status}"
        except SourceAbsent:
            return "answers"


def _url(source: Source, given: Given) -> str:
    url, path = source.options.get("url"), source.options.get("path")
    if given.connection is not None and "url" in given.connection.options:
        link = options.checked(given.connection, _KEYS)
        base = options.text(link, "url")
        if not isinstance(path, str) or "://" in path or path.startswith("/") or ".." in path.split("/"):
            raise SourceBadOption(
                f"source {source.name!r} has no path below its connection",
                where=str(source.place),
                mend="write path: folder/file.csv",
            )
        return base.rstrip("/") + "/" + path
    if not isinstance(url, str):
        raise SourceBadOption(
            f"source {source.name!r} has no url", where=str(source.place), mend="add url: https://host/file.csv"
        )
    return url


def _expected(source: Source, given: Given, url: str) -> str | None:
    """The checksum that is stated, or None for a file that may be any."""
    stated = source.options.get("sha256")
    if stated is None and source.options.get("unchecked") is True:
        return None
    if not isinstance(stated, str):
        raise SourceBadOption(
            f"source {source.name!r} states no checksum",
            where=str(source.place),
            mend="add sha256: 64 digits, or the name of the file beside it that has them; or unchecked: true",
        )
    if _SHA256.fullmatch(stated.lower()):
        return stated.lower()
    with _opened("GET", source, given, urljoin(url, stated)) as answer:
        words = b"".join(_chunks(source, answer, _SIDE_BYTES)).decode("ascii", "replace").lower().split()
    found = next((word for word in words if _SHA256.fullmatch(word)), None)
    if found is None:
        raise SourceUnreadable(
            f"source {source.name!r}: {stated[:100]!r} holds no sha256", where=str(source.place), mend="mend sha256:"
        )
    return found


def _chunks(source: Source, answer: http.client.HTTPResponse, most: int | None = None) -> Iterator[bytes]:
    """The body; raises when it ends before its length."""
    stated = answer.getheader("Content-Length")
    size = 0
    try:
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if most is not None and size > most:
                raise too_large(source)
            yield chunk
        short = stated is not None and stated.isdigit() and size < int(stated)
    except (OSError, http.client.HTTPException):
        short = True
    if short:
        raise SourceUnreachable(
            f"source {source.name!r}: the server broke off after {size} bytes",
            where=str(source.place),
            mend="try again; nothing of it was kept",
        )


@contextmanager
def _opened(method: str, source: Source, given: Given, url: str) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request for `url`, after redirects to addresses that are listed too."""
    origin = urlsplit(url)
    for _ in range(_REDIRECTS + 1):
        address = urlsplit(url)
        # credentials are for the one who was named, not for whom it points to
        same = (address.scheme, address.netloc) == (origin.scheme, origin.netloc)
        connection = _connected(source, given, url)
        try:
            path = address.path or "/"
            target = path + (f"?{address.query}" if address.query else "")
            headers = {
                "Accept-Encoding": "identity",
                "User-Agent": "hanse",
                **(_secret(given.connection) if same else {}),
            }
            try:
                connection.request(method, target, headers=headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as failure:
                slow = isinstance(failure, TimeoutError)
                raise SourceUnreachable(
                    f"source {source.name!r}: {address.hostname} "
                    + (f"gave nothing for {given.seconds:g} s" if slow else "broke off before it answered"),
                    where=str(source.place),
                    mend="look whether it is up, then try again",
                ) from None
            if answer.status in (301, 302, 303, 307, 308) and (onward := answer.getheader("Location")):
                url = urljoin(url, onward)
                continue
            if answer.status != 200:
                raise _refused(source, answer.status)
            yield answer
            return
        finally:
            connection.close()
    raise SourceUnreadable(
        f"source {source.name!r}: the address leads from one to the next without end",
        where=str(source.place),
        mend="write the address where the file is",
    )


def _connected(source: Source, given: Given, url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    host = address.hostname
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
    except ValueError:
        host = None
        port = 0
    if address.scheme not in ("http", "https") or not host or address.username is not None:
        raise SourceBadOption(
            f"source {source.name!r}: the address is no plain http or https address",
            where=str(source.place),
            mend="write url: https://host/file.csv; user and password belong into a connection",
        )
    sock = given.egress.connect(host, port, given.seconds)
    connection = http.client.HTTPConnection(host, port, timeout=given.seconds)
    if address.scheme == "https":
        try:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        except ssl.SSLCertVerificationError:
            sock.close()
            raise SourceRefused(
                f"{host}:{port} shows a certificate that is not trusted here",
                where=str(source.place),
                mend="have the server's certificate mended, or its authority added to the node's system",
            ) from None
        except OSError:
            sock.close()
            raise SourceUnreachable(
                f"{host}:{port} does not speak TLS", where=str(source.place), mend="write http:// if that is meant"
            ) from None
    connection.sock = sock
    return connection


def _secret(link: Connection | None) -> Mapping[str, str]:
    if link is None:
        return {}
    token, user = link.options.get("token"), link.options.get("user")
    if isinstance(token, str):
        return {"Authorization": f"Bearer {_header(link, token)}"}
    if isinstance(user, str):
        pair = f"{user}:{link.options.get('password', '')}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {}


def _header(link: Connection, text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise BadConnection(f"connection {link.name!r}: its token has characters that no header has")
    return text


def _refused(source: Source, status: int) -> HanseError:
    where = str(source.place)
    if status in (401, 403, 407):
        return SourceRefused(
            f"source {source.name!r}: the server does not let the node in ({status})",
            where=where,
            mend="set the connection's user and password, or token, where the node runs",
        )
    if status in (404, 410):
        return SourceAbsent(
            f"source {source.name!r}: there is no file at its address ({status})", where=where, mend="mend the address"
        )
    if status in (408, 425, 429) or status >= 500:
        return SourceUnreachable(
            f"source {source.name!r}: the server cannot answer now ({status})", where=where, mend="try again later"
        )
    return SourceUnreadable(
        f"source {source.name!r}: the server answers {status}", where=where, mend="mend the address or its options"
    )


HTTP = Http()
