"""Server locations: below the data root, or a URL that cannot point back into the network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hanse.errors import Kind, code
from hanse.spec.checks.identity import is_variable
from hanse.spec.checks.report import Report

OUTSIDE_ROOT = code(
    "location.outside-root", Kind.INVALID, "A path leaves the data root",
    "A contract is a stranger's text: its paths are relative, below the folder that the operator gives, without '..'.",
    "Write a relative path without '..'.",
)  # fmt: skip
SSRF = code(
    "location.ssrf", Kind.INVALID, "A URL points where contracts may not point",
    "A URL in a contract could make a node call its own host or network; only known schemes and public hosts are read, "
    "and of those only the ones an operator lists are ever called.",
    "Write the public address of the server.",
)  # fmt: skip

CREDENTIALS = code(
    "location.credentials", Kind.INVALID, "A URL holds a password",
    "Descriptors are read by many; secrets come from the environment or a file of mode 600, never from a descriptor.",
    "Remove user and password from the URL, and change the password.",
)  # fmt: skip

_SCRIPTS = frozenset(["javascript", "data", "vbscript", "file", "blob", "about"])
_SCHEMES = frozenset(
    [
        "http",
        "https",
        "s3",
        "s3a",
        "s3n",
        "gs",
        "gcs",
        "abfs",
        "abfss",
        "az",
        "azure",
        "wasb",
        "wasbs",
        "sftp",
        "hdfs",
        "kafka",
        "pubsub",
        "jdbc",
        "thrift",
    ]
)
_URL_FIELDS = ("location", "endpointUrl", "stagingDir", "catalogUrl", "url")
_PATH_FIELDS = ("path", "warehouse")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_USER = re.compile(r"//[^/@\s]*@")
_PASSWORD = re.compile(r"//[^/@\s:]{0,200}:(?!\$\{)[^/@\s]{1,500}@")
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "lan", "intranet", "home", "corp")


def check_servers(report: Report, servers: Sequence[Mapping[str, Any]]) -> None:
    """Every path and URL of every server."""
    for i, server in enumerate(servers):
        for name in _PATH_FIELDS:
            if isinstance(value := server.get(name), str):
                check_location(report, f"/servers/{i}/{name}", value)
        for name in _URL_FIELDS:
            if isinstance(value := server.get(name), str):
                check_location(report, f"/servers/{i}/{name}", value)
        if server.get("type") in ("duckdb", "sqlite") and isinstance(value := server.get("database"), str):
            check_location(report, f"/servers/{i}/database", value)


def check_links(report: Report, tree: Any) -> None:
    """Every link for people (`url`, `invitationUrl`) outside of servers: no script, no file, nothing on this host."""
    pending: list[tuple[str, Any]] = [("", tree)]
    while pending:
        pointer, part = pending.pop()
        entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, value in entries:
            if pointer == "" and key in ("servers", "schema"):
                continue
            at = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if isinstance(value, str) and key in ("url", "invitationUrl"):
                _check_link(report, at, value)
            elif isinstance(value, (dict, list)):
                pending.append((at, value))


def _check_link(report: Report, pointer: str, value: str) -> None:
    scheme = _SCHEME.match(value)
    if scheme is None:
        return
    kind = scheme[1].lower()
    if kind in _SCRIPTS:
        _refuse(report, pointer, value, f"scheme {kind!r} is no link")
    elif kind in ("http", "https"):
        host = _host(value[scheme.end() :])
        # links are for people, who may well look things up in their own network, but hardly on their own machine
        address = _address(host)
        local = address is not None and (address.is_loopback or address.is_link_local or address.is_unspecified)
        if local or host == "localhost" or host.endswith(".localhost"):
            _refuse(report, pointer, value, f"{host} is the reader's own machine")
        _check_credentials(report, pointer, value)


def _check_credentials(report: Report, pointer: str, value: str) -> bool:
    if _PASSWORD.search(value) is None:
        return False
    report.add(
        pointer, CREDENTIALS, f"{pointer.rpartition('/')[2]} {shown(value)} holds a password",
        why="secrets come from the environment, never from a descriptor",
        mend="remove user and password, and change the password",
    )  # fmt: skip
    return True


def shown(value: str) -> str:
    """`value` as a message may show it: short, escaped, without user and password."""
    return ascii(_USER.sub("//…@", value[:200])[:80])


def check_location(report: Report, pointer: str, value: str) -> None:
    """One location: a relative path or a URL."""
    scheme = _SCHEME.match(value)
    name = pointer.rpartition("/")[2]
    if scheme is None or len(scheme[1]) == 1:
        if scheme is not None or outside(value):
            report.add(
                pointer, OUTSIDE_ROOT, f"{name} {shown(value)} leaves the data root",
                why="paths are relative to the data root and stay below it",
                mend="write a relative path without '..', such as data/orders/*.parquet",
            )  # fmt: skip
        return
    kind = scheme[1].lower()
    if kind == "file":
        report.add(
            pointer, OUTSIDE_ROOT, f"{name} {shown(value)} names a file of the host",
            why="paths are relative to the data root and stay below it", mend="write a relative path",
        )  # fmt: skip
        return
    if kind not in _SCHEMES:
        _refuse(report, pointer, value, f"scheme {kind!r} is not read")
        return
    host = _host(value[scheme.end() :])
    if _check_credentials(report, pointer, value):
        return
    if (reason := _inside(host)) and not (is_variable(host) or "{" in host):
        _refuse(report, pointer, value, reason)
    elif outside(value.partition("://")[2]):
        report.add(
            pointer, OUTSIDE_ROOT, f"{name} {shown(value)} holds '..'", why="dot segments hide where a URL leads",
            mend="write the URL without '..'",
        )  # fmt: skip


def outside(path: str) -> bool:
    """Whether `path` is absolute or has a '..' segment, in any spelling."""
    plain = re.sub(r"%2[eE]", ".", re.sub(r"%(?:2[fF]|5[cC])", "/", path)).replace("\\", "/")
    return plain.startswith(("/", "~")) or ".." in (part.strip() for part in plain.split("/"))


def _refuse(report: Report, pointer: str, value: str, reason: str) -> None:
    report.add(
        pointer, SSRF, f"{pointer.rpartition('/')[2]} {shown(value)} is not called: {reason}",
        why="only public hosts over known schemes; an operator lists which of them a node may call",
        mend="write the public address of the server",
    )  # fmt: skip


def _host(rest: str) -> str:
    # jdbc:postgresql://host and the like hold a URL of their own
    _, slashes, after = rest.replace("\\", "/").partition("//")
    authority = re.split(r"[/?#]", after, maxsplit=1)[0] if slashes else ""
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return host[1 : host.find("]")] if "]" in host else host[1:]
    return host.partition(":")[0].rstrip(".").lower()


def _inside(host: str) -> str:
    """Why `host` must not be called, or nothing."""
    if not host:
        return "it names no host"
    if not host.isascii():
        return "its host is not plain ASCII"
    address = _address(host)
    if address is not None:
        if not host.startswith(str(address)) and ":" not in host:
            return f"{host} is another spelling of {address}"
        return "" if address.is_global and not address.is_multicast else f"{host} is an address inside a network"
    if host.rpartition(".")[2] in _LOCAL_NAMES or host == "metadata":
        return f"{host} is a name inside a network"
    return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _odd_address(host)
    return getattr(address, "ipv4_mapped", None) or address


def _odd_address(host: str) -> ipaddress.IPv4Address | None:
    """What `2130706433`, `0x7f.1` or `0177.0.0.1` stand for where C libraries read addresses."""
    parts = host.split(".")
    if len(parts) > 4 or not all(re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,11}", part) for part in parts):
        return None
    numbers = [
        int(p, 16) if p[:2] in ("0x", "0X") else int(p, 8) if re.fullmatch(r"0[0-7]+", p) else int(p) for p in parts
    ]
    value = numbers[-1]
    for i, number in enumerate(numbers[:-1]):
        value += number << (8 * (3 - i))
    return ipaddress.IPv4Address(value & 0xFFFFFFFF)
