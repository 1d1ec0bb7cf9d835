"""Events: what happens in a home, in order, and what a run tells while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: its kind (a name of `EVENTS`), a line for people, facts for programs."""

    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


EVENTS: Mapping[str, str] = {
    "plan.accepted": "A plan was made; products it names may act as principals.",
    "product.published": "A publication of a product became current.",
    "product.new-version": "A port line of a product is served in another version than before.",
    "product.breaking-change": "A version was published that breaks its consumers, under the same major.",
    "product.deprecated": "A product or a port line of it was deprecated; its sunset and successor are told.",
    "product.rolled-back": "An earlier snapshot of a product became current again.",
    "product.default-moved": "The unpinned address of a product moved to another major.",
    "product.retired": "A product is no longer served.",
    "product.service-level-missed": "The data of a product became older than its contract promises.",
    "product.service-level-met": "The data of a product is again as fresh as its contract promises.",
    "product.cleaned": "Former publications of a product are no longer kept, as its `keep` says.",
    "policies.published": "The policies of a domain changed.",
    "access.requested": "Somebody asked for access to a product.",
    "access.approved": "A request was approved and a grant made.",
    "access.refused": "A request was refused.",
    "access.granted": "An owner granted access without a request.",
    "access.renewed": "A grant got a later end.",
    "access.ends-soon": "A grant ends within a week; renewing it asks its owner.",
    "access.revoked": "A grant was ended before its time.",
    "run.failed": "A scheduled run of a product failed; what was published before stays served.",
    "run.waits": "A scheduled run waits to reach a source again.",
    "run.again": "A scheduled run goes on after the node had ended.",
    "build.started": "A run began to build a table.",
    "build.built": "A table was built into a stage.",
    "build.unchanged": "A table had nothing to do: its inputs, transform and contract are those of the last time.",
    "build.failed": "A table could not be built; the finding says why.",
    "test.started": "A run began to test a product.",
    "test.done": "A product was tested.",
    "publish.started": "A run began to publish a product.",
    "publish.done": "A product was published, or was so already.",
    "publish.blocked": "A product was not published; the finding says why.",
}
