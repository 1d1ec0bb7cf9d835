"""The walk: plan, build, test, publish, and what follows a publication."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.events import Event
from hanse.node.node import Node
from hanse.node.steps.build import build as build_step
from hanse.node.steps.clean import clean as clean_step
from hanse.node.steps.default import default as default_step
from hanse.node.steps.plan import plan as plan_step
from hanse.node.steps.publish import publish as publish_step
from hanse.node.steps.retire import retire as retire_step
from hanse.node.steps.rollback import rollback as rollback_step
from hanse.node.steps.test import test as test_step
from hanse.protocols.http.call import Call
from hanse.protocols.http.errors import BadRequest
from hanse.protocols.http.routes import MIB, route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.types import Members
from hanse.spec.model import Project

BUNDLE_BYTES = 24 * MIB  # 16 MiB of texts, and what JSON adds to them
_FILES = 16 * MIB

Progress = Callable[[Event], None]


@route(
    "POST",
    "/plan",
    "publish",
    "Compare a project with what is published: what publish would change, and who is touched.",
    body_bytes=BUNDLE_BYTES,
    body=("files", "products", "allow_breaking", "request"),
)
async def plan(call: Call) -> Response:
    body = await call.members()
    files = files_of(body)
    products, breaking, request = body.products("products"), body.products("allow_breaking"), body.flag("request")
    body.end()
    return document(await call.plan(_plan, call.node, call.principal, files, products, breaking, request))


def _plan(
    node: Node,
    principal: Principal,
    files: dict[str, str],
    products: tuple[ProductId, ...],
    breaking: tuple[ProductId, ...],
    request: bool,
) -> dict[str, Any]:
    project, findings = read(files)
    made = plan_step(
        node,
        project,
        findings,
        principal=principal,
        products=products or None,
        allow_breaking=frozenset(breaking),
        request_access=request,
    )
    return made.as_json()


@route(
    "POST",
    "/build",
    "publish",
    "Make the tables of products, in a stage that no reader sees; answers 202 with a run to follow.",
    body_bytes=BUNDLE_BYTES,
    body=("files", "products", "full", "since", "sample"),
)
async def build(call: Call) -> Response:
    body = await call.members()
    files, products, full = files_of(body), body.products("products"), body.flag("full")
    since = body.instant("since", start=True)
    sample = body.share("sample")
    body.end()
    node, principal = call.node, call.principal

    def work(progress: Progress, cancelled: threading.Event) -> dict[str, Any]:
        project = read(files)[0]
        chosen = products or None
        report = build_step(
            node,
            project,
            chosen,
            principal=principal,
            full=full,
            since=since,
            sample=sample,
            progress=progress,
            cancelled=cancelled,
        )
        return report.as_json()

    return await started(call, "build", work)


@route(
    "POST",
    "/test",
    "publish",
    "Test products against their contracts, as staged or else as published; answers 202 with a run to follow.",
    body_bytes=BUNDLE_BYTES,
    body=("files", "products", "strict", "only", "published"),
)
async def test(call: Call) -> Response:
    body = await call.members()
    files, products, strict = files_of(body), body.products("products"), body.flag("strict")
    only, published = body.texts("only"), body.flag("published")
    body.end()
    node, principal = call.node, call.principal

    def work(progress: Progress, cancelled: threading.Event) -> dict[str, Any]:
        report = test_step(
            node,
            read(files)[0],
            products or None,
            principal=principal,
            stage=not published,
            strict=strict,
            only=only,
            progress=progress,
            cancelled=cancelled,
        )
        return report.as_json()

    return await started(call, "test", work)


@route(
    "POST",
    "/publish",
    "publish",
    "Build and test what a plan needs, then publish it; answers 202 with a run to follow. Idempotent by plan.",
    body=("plan", "only", "allow_breaking"),
)
async def publish(call: Call) -> Response:
    body = await call.members()
    plan, only, breaking = body.needed("plan", most=64), body.products("only"), body.products("allow_breaking")
    body.end()
    node, principal = call.node, call.principal

    def work(progress: Progress, cancelled: threading.Event) -> dict[str, Any]:
        report = publish_step(
            node,
            plan,
            principal=principal,
            only=only,
            allow_breaking=breaking,
            progress=progress,
            cancelled=cancelled,
        )
        told: dict[str, Any] = report.as_json()
        return told

    return await started(call, "publish", work)


@route(
    "POST", "/rollback", "publish", "Publish a former state again, under a number of its own.",
    body=("product", "publication", "why"),
)  # fmt: skip
async def rollback(call: Call) -> Response:
    body = await call.members()
    product, sequence = ProductId.parse(body.needed("product", most=140)), body.whole("publication")
    why = body.needed("why", most=2000)
    body.end()
    made = await call.work(rollback_step, call.node, product, sequence, principal=call.principal, why=why)
    return document(made.as_json())


@route("POST", "/default", "publish", "Let the unpinned address of a product mean a major.", body=("product", "major"))
async def default(call: Call) -> Response:
    body = await call.members()
    product, major = ProductId.parse(body.needed("product", most=140)), body.whole("major")
    body.end()
    if major is None:
        raise BadRequest("the body lacks 'major'")
    made = await call.work(default_step, call.node, product, major, principal=call.principal)
    return document(made.as_json())


@route(
    "POST", "/retire", "publish", "Take a product, or one major of it, out of service.",
    body=("product", "major", "force"),
)  # fmt: skip
async def retire(call: Call) -> Response:
    body = await call.members()
    product, major = ProductId.parse(body.needed("product", most=140)), body.whole("major")
    force = body.flag("force")
    body.end()
    made = await call.work(retire_step, call.node, product, principal=call.principal, major=major, force=force)
    return document(made.as_json())


@route(
    "POST",
    "/clean",
    "administer",
    "Forget publications beyond `keep` and delete what nothing names; with `dry_run` only tell what would go.",
    body=("products", "dry_run"),
)
async def clean(call: Call) -> Response:
    body = await call.members()
    products, dry_run = body.products("products"), body.flag("dry_run")
    body.end()
    made = await call.work(clean_step, call.node, products, principal=call.principal, dry_run=dry_run)
    return document(made.as_json())


def read(files: dict[str, str]) -> tuple[Project, list[Any]]:
    """The project of `files`, with every finding; build, test and plan of one walk send the same files."""
    project, findings = _read(tuple(sorted(files.items())))
    return project, list(findings)


@lru_cache(2)  # a bundle may be 16 MiB
def _read(files: tuple[tuple[str, str], ...]) -> tuple[Project, tuple[Any, ...]]:
    from hanse.spec.project import project

    made, findings = project(dict(files))
    return made, tuple(findings)


async def started(call: Call, verb: str, work: Callable[[Progress, threading.Event], dict[str, Any]]) -> Response:
    """Start a run; 202 with where to follow it."""
    await call.node.engine.start()  # once; whoever only looks does not pay for it
    run = call.node.runs.start(verb, call.principal, work)
    told = {"schema": "hanse.run/1", "run": run}
    response = document(told, 202)
    response.headers["location"] = f"/api/v1/runs/{run}"
    return response


def files_of(body: Members) -> dict[str, str]:
    """The project's texts by path; raises `BadRequest`."""
    files = body.files("files")
    if not files:
        raise BadRequest("the body lacks 'files', the project's texts by path")
    if sum(len(path) + len(text) for path, text in files.items()) > _FILES:
        raise BadRequest("the texts exceed 16 MiB")
    return files
