"""Access policies: Cedar text read with places, and asked in one batch for classes of data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from hanse.errors import Finding, Kind, Place, code
from hanse.governance.decision import Action, Principal, PrincipalKind
from hanse.governance.mentions import literals, mentions_of
from hanse.names import nearest

if TYPE_CHECKING:
    import cedarpy

BAD_ACCESS = code(
    "policy.bad-access",
    Kind.INVALID,
    "An access policy cannot be read",
    "Access policies are Cedar, checked against one schema before any of them is used; a set with a fault is not used.",
    "Mend the policy at the place named; the attributes it may use are in the reference of access policies.",
)

BASE_FILE = "hanse:base.cedar"
_TOKEN = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|;')
_NAMED_UNKNOWN = (
    (re.compile(r"attribute `([^`]+)` on entity type `Data` not found"), "attribute of the data"),
    (re.compile(r"attribute `([^`]+)` in context"), "attribute of the context"),
    (re.compile(r'unrecognized action `Action::"([^"]*)"`'), "action"),
    (re.compile(r"unrecognized entity type `([^`]+)`"), "kind of entity"),
)
_CONTEXT = ("protocol", "purpose", "at", "roles")
_ENTITIES = ("Person", "Product", "Team", "Domain")


@dataclass(frozen=True, slots=True)
class Resource:
    """What Cedar is asked about: a table, or one class of its columns. The schema file says what each word means."""

    domain: str = ""
    product: str = ""
    table: str = ""
    access: str = ""
    status: str = ""
    owner: str = ""
    tags: frozenset[str] = frozenset()
    classification: str = ""
    level: int = -1
    sensitive: bool = False
    granted: bool = False
    named: bool = False
    singled: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """A principal as far as the policies can tell it from others: what they never mention is left out."""

    kind: PrincipalKind
    name: str
    teams: frozenset[str]
    tags: tuple[tuple[str, tuple[str, ...]], ...]
    domain: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """How and why it is asked; what the policies never mention is left out."""

    protocol: str = ""
    purpose: str | None = None
    at: datetime | None = None
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """One permit or forbid: its `@id` (else its number in the file), what its `@says` says, and its place."""

    id: str
    says: str
    file: str
    line: int

    def __str__(self) -> str:
        where = "" if self.file == BASE_FILE else f" ({self.file}:{self.line})"
        return f"{self.says or f'policy {self.id}'}{where}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Cedar's answer, with the statement behind it; `by` is None when nothing permits."""

    allowed: bool
    by: Statement | None


class AccessPolicies:
    """A parsed set of Cedar statements. Equal texts are equal sets, so that answers outlive a reload."""

    __slots__ = ("_handle", "_hash", "_stranger", "mentions", "statements")

    def __init__(self, text: str, statements: Sequence[Statement]) -> None:
        import cedarpy

        self._handle: cedarpy.PolicySet = cedarpy.PolicySet.from_str(text)
        self._hash = sha256(text.encode() + repr(statements).encode()).hexdigest()
        self.statements = tuple(statements)
        self.mentions = mentions_of(json.loads(cedarpy.policies_to_json_str(text)))
        stranger = "somebody"
        while any(name == stranger for _, name in self.mentions.people):
            stranger += "_"
        self._stranger = stranger

    def __hash__(self) -> int:
        return hash(self._hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessPolicies) and self._hash == other._hash

    def asker(self, principal: Principal, owner: str) -> Asker:
        """`principal` as these policies see it before data of the team `owner`."""
        known = self.mentions
        tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
        if (known.tags is None or known.tags) and principal.attributes:
            tags = tuple(
                (key, _strings(value))
                for key, value in sorted(principal.attributes.items())
                if value is not None and (known.tags is None or key in known.tags)
            )
        kind = "Person" if principal.kind is PrincipalKind.PERSON else "Product"
        return Asker(
            principal.kind,
            principal.name if (kind, principal.name) in known.people else self._stranger,
            frozenset(team for team in principal.teams if team == owner or team in known.teams),
            tags,
            principal.domain,
        )

    def context(self, protocol: str, purpose: str | None, at: datetime, roles: Iterable[str] = ()) -> Context:
        """The circumstances as far as these policies mention them."""
        known = self.mentions.context
        return Context(
            protocol if known is None or "protocol" in known else "",
            purpose if known is None or "purpose" in known else None,
            at if known is None or "at" in known else None,
            frozenset(roles) if known is None or "roles" in known else frozenset(),
        )

    def resource(self, resource: Resource) -> Resource:
        """`resource` reduced to what these policies can tell apart; equal ones get equal answers."""
        known = self.mentions.resource
        if known is None:
            return resource
        # owner and home (the domain) are entities: membership is asked of them whatever else is mentioned
        kept = known | {"owner", "domain"}
        return Resource(**{name: getattr(resource, name) for name in _RESOURCE if name in kept})

    def ask(
        self, asker: Asker, questions: tuple[tuple[Action, Resource], ...], context: Context
    ) -> tuple[Verdict, ...]:
        """One verdict a question, in order, all from one batch; remembered."""
        return _ask(self, asker, questions, context)

    def _evaluate(
        self, asker: Asker, questions: tuple[tuple[Action, Resource], ...], context: Context
    ) -> tuple[Verdict, ...]:
        import cedarpy

        kind = "Person" if asker.kind is PrincipalKind.PERSON else "Product"
        principal = {"type": kind, "id": asker.name}
        parents = [{"type": "Team", "id": team} for team in sorted(asker.teams)]
        if asker.kind is PrincipalKind.PRODUCT and asker.domain is not None:
            parents.append({"type": "Domain", "id": asker.domain})
        entities: list[dict[str, Any]] = [
            {"uid": principal, "attrs": {}, "tags": {k: list(v) for k, v in asker.tags}, "parents": parents}
        ]
        numbers: dict[Resource, str] = {}
        for _, resource in questions:
            if resource not in numbers:
                numbers[resource] = str(len(numbers))
                entities.append(_entity(resource, numbers[resource]))
        circumstances: dict[str, Any] = {"protocol": context.protocol, "roles": sorted(context.roles)}
        circumstances["at"] = {"__extn": {"fn": "datetime", "arg": _instant(context.at)}}
        if context.purpose is not None:
            circumstances["purpose"] = context.purpose
        written = json.dumps(circumstances)
        requests = [
            {
                "principal": principal,
                "action": {"type": "Action", "id": action.value},
                "resource": {"type": "Data", "id": numbers[resource]},
                "context": written,
            }
            for action, resource in questions
        ]
        results = cedarpy.is_authorized_batch(requests, self._handle, json.dumps(entities))
        return tuple(self._verdict(result) for result in results)

    def _verdict(self, result: cedarpy.AuthzResult) -> Verdict:
        # Cedar skips a statement that fails while it is evaluated; a forbid that is skipped must not open a door
        if result.diagnostics.errors:
            return Verdict(False, Statement("hanse.failed-policy", "an access policy failed: closed", BASE_FILE, 1))
        reasons = sorted(int(reason.removeprefix("policy")) for reason in result.diagnostics.reasons)
        return Verdict(result.allowed, self.statements[reasons[0]] if reasons else None)


_RESOURCE = tuple(part.name for part in fields(Resource))


@lru_cache(maxsize=8192)
def _ask(
    policies: AccessPolicies, asker: Asker, questions: tuple[tuple[Action, Resource], ...], context: Context
) -> tuple[Verdict, ...]:
    return policies._evaluate(asker, questions, context)


def _entity(resource: Resource, number: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {name: getattr(resource, name) for name in _RESOURCE if name not in ("owner", "tags")}
    attributes["tags"] = sorted(resource.tags)
    attributes["owner"] = {"__entity": {"type": "Team", "id": resource.owner}}
    attributes["home"] = {"__entity": {"type": "Domain", "id": resource.domain}}
    return {"uid": {"type": "Data", "id": number}, "attrs": attributes, "parents": []}


def _instant(at: datetime | None) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) if at is None else at.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str | bool | int | float):
        return (_string(value),)
    return tuple(sorted({_string(part) for part in value}))


def _string(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def read(files: Iterable[tuple[str, str]], *, closed: bool = False) -> tuple[AccessPolicies, list[Finding]]:
    """The base set and `files` (path, text), in order; a fault, or `closed`, ends the set with a forbid of all."""
    findings: list[Finding] = []
    texts: list[str] = []
    statements: list[Statement] = []
    for file, text in ((BASE_FILE, base_text()), *files):
        found = list(_file_findings(file, text)) if file != BASE_FILE else []
        findings += found
        if found:
            continue
        for number, (line, statement) in enumerate(_split(text), 1):
            notes = _annotations(statement)
            name = notes.get("id") or f"{number} of {file}"
            texts.append(statement)
            statements.append(Statement(name, notes.get("says", ""), file, line))
    if findings or closed:
        texts.append("forbid (principal, action, resource);")
        statements.append(Statement("hanse.bad-policy", "a policy cannot be read: closed", BASE_FILE, 1))
    return AccessPolicies("\n".join(texts), statements), findings


@cache
def base_text() -> str:
    """The built-in statements, as text."""
    return _package_text("base.cedar")


@cache
def schema_text() -> str:
    """The Cedar schema that every access policy is checked against."""
    return _package_text("schema.cedarschema")


def _package_text(name: str) -> str:
    return (resources.files("hanse.governance") / "policies" / name).read_text(encoding="utf-8")


@cache
def _schema() -> cedarpy.Schema:
    import cedarpy

    return cedarpy.Schema.from_str(schema_text())


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the line on which its first word stands."""
    start = 0
    for match in _TOKEN.finditer(text):
        if match[0] == ";":
            yield _first_line(text, start, match.end()), text[start : match.end()]
            start = match.end()
    rest = text[start:]
    if re.sub(r"//[^\n]*", "", rest).strip():
        yield _first_line(text, start, len(text)), rest


def _first_line(text: str, start: int, end: int) -> int:
    """The line of `permit` or `forbid` or the first annotation, past blank lines and comments."""
    while match := re.compile(r"\s+|//[^\n]*").match(text, start, end):
        start = match.end()
    return text.count("\n", 0, start) + 1


def _annotations(statement: str) -> Mapping[str, str]:
    import cedarpy

    found = _static(json.loads(cedarpy.policies_to_json_str(statement))).get("annotations") or {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _file_findings(file: str, text: str) -> Iterator[Finding]:
    import cedarpy

    for line, statement in _split(text):
        place = Place(file, line)
        result = cedarpy.validate_policies(statement, _schema())
        told: set[str] = set()
        for error in result.errors:
            message, mend = _told(error.error)
            if message not in told:
                told.add(message)
                yield Finding.at(place, BAD_ACCESS, message, mend=mend)
        if told:
            continue
        tree = json.loads(cedarpy.policies_to_json_str(statement))
        context = mentions_of(tree).context
        if tree.get("templates"):
            yield Finding.at(place, BAD_ACCESS, "a template has no one it holds for", mend="name a principal")
        elif any(type_ == "Data" for type_, _ in literals(tree)):
            mend = "use resource.domain, resource.product and resource.table"
            yield Finding.at(place, BAD_ACCESS, 'data cannot be named as Data::"…"', mend=mend)
        elif _static(tree).get("effect") == "permit" and (context is None or "protocol" in context):
            # one decision on every protocol: a door may be closed, none may be opened by name
            mend = "forbid the others: forbid (…) when { context.protocol == … }"
            yield Finding.at(place, BAD_ACCESS, "a permit may not depend on the protocol", mend=mend)


def _static(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The only statement of a text that holds one; nothing for a template."""
    nothing: Mapping[str, Any] = {}
    return next(iter(tree["staticPolicies"].values()), nothing)


def _told(error: str) -> tuple[str, str]:
    """Cedar's message without the parts that only Cedar understands, and what to write instead."""
    error = re.sub(r"^(?:for policy `[^`]*`, |Policy parse error: )", "", error)
    known: Mapping[str, Iterable[str]] = {
        "attribute of the data": (*_RESOURCE, "home"),
        "attribute of the context": _CONTEXT,
        "action": [action.value for action in Action],
        "kind of entity": (*_ENTITIES, "Data", "Action"),
    }
    for pattern, what in _NAMED_UNKNOWN:
        if match := pattern.search(error):
            if "optional" in error:
                return f"{match[1]} may be absent", f"ask first: context has {match[1]} && context.{match[1]} == …"
            close = nearest(match[1], known[what])
            mend = f"nearest: {', '.join(close)}" if close else f"one of: {', '.join(known[what])}"
            return f"{match[1]!r} is no {what}", mend
    return error, ""
