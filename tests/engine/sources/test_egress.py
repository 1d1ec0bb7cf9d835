"""Only what the operator listed is reached: by name, and again by the address that the name leads to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from hanse.engine.sources import door
from hanse.engine.sources.egress import Egress
from hanse.engine.sources.errors import NotListed, SourceUnreachable

PUBLIC = "93.184.215.14"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name service that says what a test writes into it."""
    known: dict[str, list[str]] = {}

    def found(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return known


def test_nothing_is_reached_that_is_not_listed_with_its_port(names: dict[str, list[str]]) -> None:
    names["db.example"] = [PUBLIC]
    egress = Egress.of(["db.example:5432", "*.store.example:443"])
    assert egress.addresses("DB.example.", 5432) == [PUBLIC]
    for host, port in (("db.example", 5433), ("other.example", 5432), ("xdb.example", 5432), (PUBLIC, 5432)):
        with pytest.raises(NotListed):
            egress.addresses(host, port)
    names |= {"a.store.example": [PUBLIC], "store.example": [PUBLIC], "store.example.evil.example": [PUBLIC]}
    assert egress.addresses("a.store.example", 443) == [PUBLIC]
    for host in ("store.example", "store.example.evil.example"):
        with pytest.raises(NotListed):
            egress.addresses(host, 443)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1", "fe80::1",
     "::ffff:127.0.0.1", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
def test_a_listed_name_that_leads_inside_counts_only_when_the_address_is_listed(
    names: dict[str, list[str]], address: str
) -> None:
    names["feed.example"] = [PUBLIC, address]
    with pytest.raises(NotListed) as told:
        Egress.of(["feed.example:443"]).addresses("feed.example", 443)
    line = told.value.mend.partition('egress: ["')[2].partition('"')[0]
    assert len(Egress.of(["feed.example:443", line]).addresses("feed.example", 443)) == 2, "what the mend says works"


def test_ranges_loopback_and_sockets_are_listed_as_they_are_written() -> None:
    assert Egress.of(["10.0.0.0/8:5432"]).addresses("10.9.9.9", 5432) == ["10.9.9.9"]
    assert "127.0.0.1" in Egress.of(["localhost:5432"]).addresses("localhost", 5432)
    assert Egress.of(["[::1]:80"]).addresses("::1", 80) == ["::1"]
    assert Egress.of(["/run/postgresql"]).socket_folder("/run/postgresql/") == "/run/postgresql/"
    with pytest.raises(NotListed):
        Egress.of(["/run/postgresql"]).socket_folder("/run")
    for wrong in (
        "db.example",
        "db.example:",
        "db.example:0",
        ":5432",
        "db example:1",
        "10.0.0.1/8:5432",
        "http://a:1",
    ):
        with pytest.raises(ValueError):
            Egress.of([wrong])


def test_a_name_is_looked_up_once_and_what_was_checked_is_what_is_connected_to(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    names["db.example"] = [PUBLIC]

    def connect(address: tuple[str, int], seconds: float) -> Any:
        asked.append(address)
        names["db.example"] = ["127.0.0.1"]
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(SourceUnreachable, match="did not answer in time"):
        Egress.of(["db.example:5432"]).connect("db.example", 5432, 1)
    assert asked == [(PUBLIC, 5432)]


def test_the_door_lets_no_library_go_elsewhere_and_nobody_else_in() -> None:
    with door.opened(Egress.of([]), 2) as through:
        for password, word in (("wrong", b"407"), (through.password, b"403")):
            import base64

            given = base64.b64encode(f"hanse:{password}".encode()).decode()
            with socket.create_connection(("127.0.0.1", through.port), 2) as one:
                one.sendall(f"CONNECT 127.0.0.1:9 HTTP/1.1\r\nProxy-Authorization: Basic {given}\r\n\r\n".encode())
                assert word in one.recv(100)
        assert isinstance(through.refused, NotListed)
