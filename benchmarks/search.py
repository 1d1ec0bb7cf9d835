"""Search over 10 000 products on the server: p95 of many words by many people (bar 50 ms), and what a publish costs."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from _measure import tell

from hanse.engine.snapshot import LineSnapshot
from hanse.governance.decision import Principal, PrincipalKind, Request
from hanse.names import PortLine, ProductId
from hanse.node.home.values import LineRecord, Publication
from hanse.node.node import Node
from hanse.node.settings import Settings
from hanse.node.steps.search import search

if TYPE_CHECKING:
    from hanse.node.home.home import Home

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOMAINS, PRODUCTS, BAR_MS, SEARCHES = 20, 10_000, 50.0, 400
# fmt: off
NOUNS = [
    "account", "airport", "basket", "batch", "booking", "budget", "campaign", "cargo", "carrier", "claim", "customer",
    "delay", "delivery", "device", "discount", "employee", "event", "fault", "flight", "forecast", "freight", "gate",
    "invoice", "journey", "ledger", "location", "machine", "market", "measure", "meter", "offer", "order", "parcel",
    "partner", "payment", "person", "plan", "plant", "price", "purchase", "rate", "reading", "revenue", "route", "sale",
    "schedule", "score", "sensor", "shipment", "shop", "stock", "store", "supplier", "tariff", "tax", "ticket", "tool",
    "track", "train", "transfer", "trip", "unit", "vehicle", "visit", "voucher", "weather", "wind", "work",
]
KINDS = ["daily", "monthly", "hourly", "raw", "clean", "by_region", "history", "latest", "planned", "actual"]
LEVELS = ["count", "total", "mean", "state", "code", "name", "date", "time", "amount", "share", "rank", "unit"]
# fmt: on


def main() -> None:
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        node = mesh(root, chance)
        people = [Principal(PrincipalKind.PERSON, f"p{i}", frozenset({f"team{i % DOMAINS}"})) for i in range(50)]
        first = timed(lambda: search(node, Request(people[0], NOW), "delay", limit=30))
        times = []
        for number in range(SEARCHES):
            request, words = Request(people[number % 50], NOW), asked(chance, number)
            times.append(timed(lambda r=request, w=words: search(node, r, w, limit=30)))  # type: ignore[misc]
        after = []
        for number in range(20):
            publish(next(iter(node.homes.values())), chance, number, again=True)
            after.append(timed(lambda: search(node, Request(people[1], NOW), "customer delay", limit=30)))
        node.index.close()
        size = (root / ".hanse" / "node.db").stat().st_size
        ordered = sorted(times)
        p95 = ordered[int(0.95 * len(ordered))] * 1000
        tell(
            "search", products=PRODUCTS, searches=SEARCHES, bar_p95_ms=BAR_MS, p50_ms=statistics.median(times) * 1000,
            p95_ms=p95, ratio=p95 / BAR_MS, worst_ms=ordered[-1] * 1000, index_made_s=first,
            after_a_publication_ms=statistics.median(after) * 1000, index_bytes=size,
        )  # fmt: skip


def timed(call: object) -> float:
    start = time.perf_counter()
    assert callable(call)
    call()
    return time.perf_counter() - start


def asked(chance: random.Random, number: int) -> str:
    """What people type: a word, two, the beginning of one, one that is mistyped, one that fits everything."""
    word, other = chance.sample(NOUNS, 2)
    at = chance.randrange(1, len(word))
    mistyped = word[: at - 1] + word[at : at + 1] + word[at - 1 : at] + word[at + 1 :]
    return [word, f"{word} {other}", word[:3], f"{mistyped}", f"{word} {chance.choice(LEVELS)}", "of", "team3"][
        number % 7
    ]


def mesh(root: Path, chance: random.Random) -> Node:
    """A node of twenty domains whose homes hold the publications."""
    files = {
        "mesh.yaml": "name: many\nclassifications: [public, internal, restricted]\n",
        "people.yaml": "people: {}\n",
    }
    for number in range(DOMAINS):
        files[f"domain{number}/domain.yaml"] = (
            f"name: domain{number}\nteam: team{number}\nmembers: {{p{number}: [owner]}}\n"
        )
    for path, text in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    node = Node.open(Settings(root), lambda: NOW)
    for number, home in enumerate(node.homes.values()):
        own = {path: text for path, text in files.items() if not path.startswith("domain")}
        own[f"{home.domain}/domain.yaml"] = files[f"{home.domain}/domain.yaml"]
        with home.change() as change:
            home.store.put_policy_set(own, change.connection)
        for one in range(PRODUCTS // DOMAINS):
            publish(home, chance, number * PRODUCTS // DOMAINS + one)
    return node


def publish(home: Home, chance: random.Random, number: int, *, again: bool = False) -> None:
    """Append a publication of one product, as the walk would leave it."""
    noun, other, kind = chance.choice(NOUNS), chance.choice(NOUNS), chance.choice(KINDS)
    name = f"{noun}_{kind}_{number}"
    id = ProductId(home.domain, name)
    columns = dict.fromkeys([f"{chance.choice(NOUNS)}_{chance.choice(LEVELS)}" for _ in range(12)])
    access = ("open", "request", "closed")[number % 3]
    product = (
        f"apiVersion: v1.1.0\nkind: DataProduct\nid: {home.domain}.{name}\nname: {noun.title()} {kind} {number}\n"
        f"version: 1.0.0\nstatus: active\ndomain: {home.domain}\ntags: [{other}]\n"
        f"description: {{purpose: 'The {noun} of every {other}, for who plans a {chance.choice(NOUNS)}.'}}\n"
        f"outputPorts:\n  - {{name: {noun}, version: 1.0.0, contractId: {home.domain}.{name}.v1}}\n"
        f"customProperties: [{{property: access, value: {access}, vendor: hanse}}]\n"
    )
    contract = (
        f"apiVersion: v3.2.0\nkind: DataContract\nid: {home.domain}.{name}.v1\nname: {noun}\nversion: 1.0.0\n"
        f"status: active\ndomain: {home.domain}\nschema:\n  - name: {noun}\n    logicalType: object\n    properties:\n"
    ) + "".join(
        f"      - {{name: {column}, logicalType: string, physicalType: VARCHAR, classification: internal, "
        f"description: 'The {column.replace('_', ' of the ')}.'}}\n"
        for column in columns
    )
    file = f"{home.domain}/{name}/{noun}.v1.odcs.yaml"
    with home.change() as change:
        bundle = home.store.put_texts(
            {f"{home.domain}/{name}/{name}.odps.yaml": product, file: contract}, change.connection
        )
        made = Publication(
            id, 1, 0, "publish", f"plan{number}{again}", f"plan{number}{again}",
            (LineRecord(PortLine(id, noun, 1), "1.0.0", file, LineSnapshot({}, "f")),),
            1, {1: noun}, bundle, "", "active", "person:p0", NOW,
        )  # fmt: skip
        home.store.know(change.connection, id, f"{home.domain}.{name}", "active")
        assert home.store.append(change.connection, replace(made, signature="none"))


if __name__ == "__main__":
    main()
