"""Where the node may connect to: the operator's list of hosts and ports, checked as a name and again as an address."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from hanse.engine.sources.errors import NotListed, SourceUnreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LOOPBACK = "localhost"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: a host name (`*.` stands for any label), a range of addresses, or a socket's folder."""

    text: str
    host: str
    port: int | None  # None: a socket's folder, which has no port
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Read `host:port`, `10.0.0.0/8:5432`, `[::1]:443` or `/run/postgresql`; ValueError says what is wrong."""
        if text.startswith("/"):
            return cls(text, text.rstrip("/") or "/", None)
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{text[:100]!r} has no port: write HOST:PORT")
        host = host.removeprefix("[").removesuffix("]").lower().rstrip(".")
        try:
            return cls(text, host, int(port), ipaddress.ip_network(host))
        except ValueError:
            pass
        labels = host.removeprefix("*.")
        if not labels or any(not part or set(part) - _LABEL for part in labels.split(".")):
            raise ValueError(f"{text[:100]!r} names no host: write HOST:PORT, *.DOMAIN:PORT or ADDRESS/BITS:PORT")
        return cls(text, host, int(port))

    def names(self, host: str, port: int) -> bool:
        """Whether this entry lists the name `host`."""
        if self.network is not None or self.port != port:
            return False
        return host == self.host or (self.host.startswith("*.") and host.endswith(self.host[1:]))

    def holds(self, address: Address, port: int) -> bool:
        """Whether this entry lists `address` itself."""
        if self.port != port:
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return self.host == _LOOPBACK and address.is_loopback


_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, slots=True)
class Egress:
    """The operator's list; empty means that nothing outside is reached."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Egress:
        """The list written as `texts`."""
        return cls(tuple(Entry.parse(text) for text in texts))

    def texts(self) -> tuple[str, ...]:
        """The list as it was written."""
        return tuple(entry.text for entry in self.entries)

    def socket_folder(self, folder: str) -> str:
        """`folder` when sockets in it are listed; raises `NotListed`."""
        if not any(entry.port is None and entry.host == folder.rstrip("/") for entry in self.entries):
            raise _not_listed(folder, f'egress: ["{folder}"]')
        return folder

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host` to connect to, and no others: what is connected to is what was checked.

        Raises `NotListed` for a host or address that is not listed, `SourceUnreachable` for a name that is not known.
        """
        name = host.strip("[]").lower().rstrip(".")
        literal = _address(name)
        if literal is None and not any(entry.names(name, port) for entry in self.entries):
            raise _not_listed(f"{host}:{port}", f'egress: ["{name}:{port}"]')
        if literal is not None:
            found = [literal]
        else:
            try:
                infos = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                raise SourceUnreachable(
                    f"the host {host[:100]} is not known: no address belongs to its name",
                    mend="mend the host in domain.yaml, or look at the name service",
                ) from None
            found = [a for a in (_address(str(info[4][0])) for info in infos) if a is not None]
        allowed = []
        for address in found:
            listed = any(entry.holds(address, port) for entry in self.entries)
            if not listed and (literal is not None or not _is_public(address)):
                line = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
                if literal is not None:
                    raise _not_listed(line, f'egress: ["{line}"]')
                raise NotListed(
                    f"{host}:{port} leads to {address}, which is not public and not listed itself",
                    mend=f'when that is right, the operator adds to .hanse/node.yaml:  egress: ["{line}"]',
                )
            allowed.append(str(address))
        return list(dict.fromkeys(allowed))

    def answering(self, host: str, port: int, seconds: float) -> str:
        """An address of `host` that takes connections, for a library that connects by itself; raises as `connect`."""
        with self.connect(host, port, seconds) as answered:
            return str(answered.getpeername()[0])

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to `host`, at an address that was checked; raises as `addresses`."""
        failure: OSError | None = None
        for address in self.addresses(host, port):
            try:
                return socket.create_connection((address, port), seconds)
            except OSError as error:
                failure = error
        why = "it did not answer in time" if isinstance(failure, TimeoutError) else "it refuses connections"
        raise SourceUnreachable(f"{host}:{port} cannot be reached: {why}", mend="look whether it is up, then try again")


def is_loopback(address: str) -> bool:
    """Whether `address` is this machine's own."""
    return ipaddress.ip_address(address).is_loopback


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # an IPv4 address in IPv6 clothes is what it is
    return getattr(address, "ipv4_mapped", None) or address


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _not_listed(what: str, line: str) -> NotListed:
    return NotListed(
        f"{what} is not among the addresses that this node may reach",
        mend=f"the operator adds to .hanse/node.yaml:  {line}",
    )
