"""Events as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Body = Mapping[str, Any]
_NAMED = 3


def words(name: str, product: str | None, body: Body) -> str:
    """One line that says what happened; only of what is in `body`, which is what its reader may know."""
    say = _WORDS.get(name)
    return say(product or "", body) if say is not None else f"{product or 'the domain'}: {name.partition('.')[2]}"


def _versions(body: Body) -> str:
    return ", ".join(f"{line} {version}" for line, version in sorted(dict(body.get("versions") or {}).items()))


def _ends(product: str, body: Body) -> str:
    said = []
    for line, end in sorted(dict(body.get("lines") or {}).items()):
        until = f", ends {end['sunset']}" if end.get("sunset") else ""
        said.append(f"{line} is deprecated{until}" + (f"; use {end['successor']}" if end.get("successor") else ""))
    return f"{product}: {'; '.join(said)}"


def _level(missed: bool) -> Callable[[str, Body], str]:
    def say(product: str, body: Body) -> str:
        hours = float(body.get("goal_seconds") or 0) / 3600
        goal = f"{hours:.0f} h" if hours >= 1 else f"{hours * 60:.0f} min"
        is_ = "older than" if missed else "again within"
        return f"{product}: the data of {body.get('table')} is {is_} the {goal} that its contract promises"

    return say


def _failed(product: str, body: Body) -> str:
    error = dict(body.get("error") or {})
    why = f": {error.get('code')}  {error.get('detail', '')}" if error else ""
    run = f" {body['run']}" if body.get("run") else ""
    return f"{product}: the scheduled run{run} failed, what was published stays served{why}"


def _access(act: str) -> Callable[[str, Body], str]:
    def say(product: str, body: Body) -> str:
        by = f" by {body['by']}" if body.get("by") else ""
        until = f" until {_day(body)}" if body.get("until") else ""
        return f"{product}: access for {body.get('to')}{until} was {act}{by}"

    return say


def _files(body: Body) -> str:
    """The files that changed, a few by name."""
    files = list(body.get("files") or ())
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(files[:_NAMED]) + more


def _day(body: Body) -> str:
    return str(body.get("until"))[:10]


_WORDS: Mapping[str, Callable[[str, Body], str]] = {
    "product.published": lambda product, body: f"{product}: publication {body.get('sequence')} is current",
    "product.new-version": lambda product, body: f"{product} is now served as {_versions(body)}",
    "product.breaking-change": lambda product, body: f"{product}: {_versions(body)} breaks its consumers",
    "product.deprecated": _ends,
    "product.rolled-back": lambda product, body: f"{product} was rolled back, publication {body.get('sequence')}",
    "product.default-moved": lambda product, body: f"{product}: its unpinned address means major {body.get('major')}",
    "product.retired": lambda product, _: f"{product} is no longer served",
    "product.service-level-missed": _level(missed=True),
    "product.service-level-met": _level(missed=False),
    "product.cleaned": lambda product, _: f"{product}: former publications are no longer kept",
    "run.failed": _failed,
    "access.requested": _access("requested"),
    "access.approved": _access("approved"),
    "access.refused": _access("refused"),
    "access.granted": _access("granted"),
    "access.renewed": _access("renewed"),
    "access.revoked": _access("revoked"),
    "access.ends-soon": lambda product, body: f"{product}: access for {body.get('to')} ends {_day(body)}",
    "plan.accepted": lambda product, _: f"{product}: a plan accepted it",
    "policies.published": lambda _, body: f"the policies changed: {_files(body)}",
}
