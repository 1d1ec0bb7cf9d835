"""The owners' acts, done over HTTP as themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hanse.cli.demo.script import Step
from hanse.cli.report_lines import counted
from hanse.cli.transport import read_bundle
from hanse.client import Client, HanseError
from hanse.client.http import Client as HttpClient


class Cast:
    """The demo's people, each with a client of their own."""

    def __init__(self, address: str, token: Callable[[str], str]) -> None:
        self._address = address
        self._token = token
        self._clients: dict[str, Client] = {}

    def __getitem__(self, person: str) -> Client:
        if person not in self._clients:
            self._clients[person] = HttpClient(self._address, self._token(person))
        return self._clients[person]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


def act(step: Step, cast: Cast, root: Path, told: Callable[[str], None]) -> Iterator[str]:
    """Do `step`; yield a line for each thing done. `told` hears of progress within it."""
    client = cast[step.who]
    if step.do == "publish":
        yield from _publish(step, client, root, told)
    elif step.do == "request":
        if step.reader is not None:
            # a product becomes one who can ask and be granted when a plan accepts its descriptor
            client.post("/plan", {"files": read_bundle(root), "products": [step.reader]})
        request = client.post("/access/requests", step.terms)["request"]
        yield f"{step.who} asks for {request['product']} for {request['to']}: {request['why']}"
    elif step.do == "approve":
        for request in client.get("/access")["requests"]:
            if request["state"] == "waiting" and request["decidable"]:
                grant = client.post(f"/access/requests/{request['id']}/approve", {"note": "granted"})["grant"]
                yield f"{step.who} grants {grant['product']} to {grant['to']}"
    elif step.do == "grant":
        grant = client.post("/access/grants", step.terms)["grant"]
        yield f"{step.who} grants {grant['product']} to {grant['to']}: {grant['why']}"
    elif step.do == "revoke":
        for grant in client.get("/access")["grants"]:
            if grant["state"] == "live" and (grant["product"], grant["to"]) == (step.product, step.to):
                client.post(f"/access/grants/{grant['id']}/revoke", {"why": step.why})
                yield f"{step.who} ends the access of {grant['to']} to {grant['product']}: {step.why}"
    else:
        raise ValueError(f"demo.yaml: nobody knows how to {step.do!r}")


def _publish(step: Step, client: Client, root: Path, told: Callable[[str], None]) -> Iterator[str]:
    plan = client.post("/plan", {"files": read_bundle(root), "products": list(step.products)})
    report: Any = client.run(
        "/publish",
        {"plan": plan["id"], "only": list(step.products)},
        lambda event: told(str(event.get("text", ""))),
    )
    if not report["ok"]:
        raise HanseError(_problem(report))
    for product in report["products"]:
        checks = product.get("checks") or {}
        words = counted(checks) if checks else product["state"]
        yield f"{step.who} publishes {product['product']}: {words}"


def _problem(report: dict[str, Any]) -> dict[str, Any]:
    """The first thing that stopped a publication, as a problem."""
    for product in report["products"]:
        for finding in [*filter(None, [product.get("finding")]), *product.get("findings", ())]:
            if finding["severity"] == "error":
                what = f"{product['product']}: {finding['message']}"
                return {"code": finding["code"], "kind": "invalid", "detail": what, "mend": finding["mend"]}
    blocked = ", ".join(one["product"] for one in report["products"] if one["state"] != "published")
    return {"code": "publish.blocked", "kind": "invalid", "detail": f"{blocked}: not published"}
