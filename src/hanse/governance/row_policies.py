"""Row policies: one SQL predicate a file, with the reader's attributes put in as literals."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from hanse.errors import Finding, Kind, Place, code
from hanse.governance.decision import Principal, PrincipalKind, RowRule, TableFacts
from hanse.governance.masks import FOREIGN_TABLE
from hanse.names import is_name, nearest

if TYPE_CHECKING:
    from sqlglot import exp

BAD_ROW_POLICY = code(
    "policy.bad-row-policy",
    Kind.INVALID,
    "A row policy cannot be used",
    "A row policy is a header and one SQL predicate over the table's own columns; it runs beside raw data, so it may "
    "only compare, compute with plain functions and read tables of its own domain.",
    "Write one predicate, for example: carrier = principal.carrier",
)

Attribute = str | bool | int | float | tuple[str | bool | int | float, ...]
_HEADER = re.compile(r"--\s*([A-Za-z]+)\s*:\s*(.*?)\s*\Z")
_KEYS = ("domain", "product", "table", "tag", "to")
_PINNED = re.compile(r"(.+)_v(0|[1-9][0-9]*)\Z", re.ASCII)
_LENGTH = 65_536
FUNCTIONS = frozenset(
    (
        "abs", "and", "any", "array", "array_contains", "array_contains_all", "array_length", "array_overlaps",
        "array_size", "between", "bit_length", "case", "cast", "ceil", "ceiling", "coalesce", "collate", "concat",
        "concat_ws", "contains", "count", "date", "date_diff", "date_part", "date_trunc", "datediff", "day",
        "day_of_month", "day_of_week", "day_of_year", "dayofweek", "ends_with", "exists", "extract", "floor",
        "greatest", "hour", "if", "ifnull", "is_inf", "is_nan", "json_extract", "json_extract_scalar", "least",
        "left", "len", "length", "list_contains", "list_has", "list_has_all", "list_has_any", "lower", "ltrim",
        "max", "min", "minute", "month", "nullif", "power", "prefix", "quarter", "regexp_full_match",
        "regexp_i_like", "regexp_like", "regexp_matches", "replace", "right", "round", "rtrim", "second",
        "split_part", "starts_with", "str_position", "strpos", "substr", "substring", "suffix", "sum",
        "timestamp_trunc", "trim", "try_cast", "upper", "week", "year",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RowPolicy:
    """A row policy: what it is about, whom it binds (nobody named: everybody), and its predicate as a tree."""

    name: str
    file: str
    domain: str | None
    product: str | None
    major: int | None
    table: str | None
    tag: str | None
    to: frozenset[str]
    reads: frozenset[tuple[str, ...]]
    attributes: frozenset[str]
    sql: str
    tree: exp.Expression = field(compare=False, repr=False)

    def is_about(self, table: TableFacts) -> bool:
        """Whether the policy is about `table`."""
        return (
            self.domain in (None, table.product.domain)
            and self.product in (None, table.product.name)
            and self.major in (None, table.id.major)
            and self.table in (None, table.id.table)
            and (self.tag is None or self.tag in table.tags)
        )

    def binds(self, principal: Principal) -> bool:
        """Whether the policy holds for `principal`."""
        return not self.to or principal.id in self.to or any(f"team:{team}" in self.to for team in principal.teams)

    def rule(self, principal: Principal, domain: str) -> RowRule:
        """The policy for `principal` on a table of `domain`: attributes as literals, `FALSE` where one is missing."""
        if any(parts[0] != domain for parts in self.reads if len(parts) > 1):
            return RowRule(f"{self.name}: it reads a table of another domain", "FALSE")
        values = tuple((name, _attribute(principal, name)) for name in sorted(self.attributes))
        for name, value in values:
            if value is None:
                return RowRule(f"{self.name}: the reader has no attribute {name}", "FALSE")
        return RowRule(self.name, _bound(self, tuple((n, v) for n, v in values if v is not None)), self.reads)


def _attribute(principal: Principal, name: str) -> Attribute | None:
    if name == "name":
        return principal.name
    if name == "teams":
        return tuple(sorted(principal.teams))
    if name == "domain":
        return principal.domain if principal.kind is PrincipalKind.PRODUCT else None
    value = principal.attributes.get(name)
    if isinstance(value, list | tuple | set | frozenset):
        parts = tuple(value)
        return parts if all(_is_plain(part) for part in parts) else None
    return value if _is_plain(value) else None


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _bound(policy: RowPolicy, values: tuple[tuple[str, Attribute], ...]) -> str:
    # 1, 1.0 and True are equal as keys but not as literals
    return _bind(policy, values, repr(values))


@lru_cache(maxsize=4096)
def _bind(policy: RowPolicy, values: tuple[tuple[str, Attribute], ...], exact: str) -> str:
    from sqlglot import exp

    known = dict(values)

    def literal(value: str | bool | int | float) -> exp.Expression:
        if isinstance(value, bool):
            return exp.Boolean(this=value)
        if isinstance(value, str):
            return exp.Literal.string(value)
        # a minus sign is an operator in the tree; without an exponent DuckDB would read a DECIMAL, and round it anew
        text = repr(abs(value))
        number = exp.Literal.number(f"{text}e0" if isinstance(value, float) and "e" not in text else text)
        return exp.Paren(this=exp.Neg(this=number)) if value < 0 else number

    def whole(value: Attribute) -> exp.Expression:
        if isinstance(value, tuple):
            return exp.Array(expressions=[literal(part) for part in value])
        return literal(value)

    def replaced(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.In):
            options = [node.args["field"]] if node.args.get("field") else node.expressions
            parts: list[exp.Expression] = []
            found = False
            for option in options:
                name = _principal_attribute(option)
                value = None if name is None else known[name]
                found = found or value is not None
                if isinstance(value, tuple):
                    parts += [literal(part) for part in value]
                else:
                    parts.append(option if value is None else literal(value))
            if found:
                return exp.In(this=node.this, expressions=parts) if parts else exp.Boolean(this=False)
            return node
        name = _principal_attribute(node)
        return node if name is None else whole(known[name])

    return policy.tree.copy().transform(replaced, copy=False).sql(dialect="duckdb", comments=False)


def _principal_attribute(node: Any) -> str | None:
    """The attribute that `node` asks of the principal, None when it asks none."""
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Column) or node.args.get("db") is not None:
        return None
    table = node.args.get("table")
    if table is None or table.name.lower() != "principal" or isinstance(node.this, exp.Star):
        return None
    return str(node.name)


class _Fault(Exception):
    def __init__(self, line: int, message: str, mend: str = "", slug: str = BAD_ROW_POLICY, column: int = 1) -> None:
        super().__init__(message)
        self.line, self.column, self.message, self.mend, self.code = line, column, message, mend, slug


def load(file: str, text: str, domain: str | None) -> tuple[RowPolicy | None, list[Finding]]:
    """Read one row policy; `domain` is the folder of a local file, None for the federation's."""
    try:
        return _read(file, text, domain), []
    except _Fault as fault:
        place = Place(file, fault.line, fault.column)
        return None, [Finding.at(place, fault.code, fault.message, mend=fault.mend)]


def _read(file: str, text: str, domain: str | None) -> RowPolicy:
    if len(text) > _LENGTH:
        raise _Fault(1, f"the file is longer than {_LENGTH} characters")
    lines = text.splitlines()
    headers: dict[str, tuple[str, int]] = {}
    body_line = 0
    for number, line in enumerate(lines, 1):
        match = _HEADER.match(line.strip())
        if match is not None:
            if match[1].lower() in headers:
                raise _Fault(number, f"the header says {match[1]} twice")
            headers[match[1].lower()] = (match[2], number)
        elif line.strip() and not line.strip().startswith("--"):
            body_line = number
            break
    for key, (_, number) in headers.items():
        if key not in _KEYS:
            raise _Fault(
                number, f"{key!r} is no word of the header", f"one of: {', '.join(nearest(key, _KEYS) or _KEYS)}"
            )
    if not body_line:
        raise _Fault(max(len(lines), 1), "the file has no predicate", "carrier = principal.carrier")
    about = _about(headers, domain)
    to = _to(headers)
    body = "\n".join(lines[body_line - 1 :])
    tree = _predicate(body, body_line)
    reads = _check(tree, body_line)
    own = about[0] or domain
    for parts in sorted(reads):
        if own is not None and parts[0] != own:
            mend = f"read tables of {own} only"
            raise _Fault(body_line, f"{'.'.join(parts)} is not in domain {own}", mend, FOREIGN_TABLE)
    attributes = frozenset(name for node in tree.walk() if (name := _principal_attribute(node)) is not None)
    name = file.rsplit("/", 1)[-1].removesuffix(".sql")
    sql = tree.sql(dialect="duckdb", comments=False)
    tag = headers["tag"][0] if "tag" in headers else None
    return RowPolicy(f"{name} ({file}:{body_line})", file, *about, tag, to, reads, attributes, sql, tree)


def _about(
    headers: Mapping[str, tuple[str, int]], domain: str | None
) -> tuple[str | None, str | None, int | None, str | None]:
    chosen = [key for key in headers if key in ("domain", "product", "table")]
    if not chosen and "tag" not in headers:
        raise _Fault(1, "the header names no table", "-- table: domain.product.table, or -- tag: …")
    if len(chosen) > 1:
        raise _Fault(headers[chosen[1]][1], f"the header says both {chosen[0]} and {chosen[1]}", "keep one")
    if "tag" in headers and not headers["tag"][0]:
        raise _Fault(headers["tag"][1], "the header's tag is empty")
    if not chosen:
        return domain, None, None, None
    text, line = headers[chosen[0]]
    parts = text.replace("/", ".").split(".")
    wanted = {"domain": 1, "product": 2, "table": 3}[chosen[0]]
    major = None
    if len(parts) > 1 and (pinned := _PINNED.fullmatch(parts[1])):
        parts[1], major = pinned[1], int(pinned[2])
    if len(parts) != wanted or not all(is_name(part) for part in parts):
        example = "domain.product.table".rsplit(".", 3 - wanted)[0] if wanted < 3 else "domain.product.table"
        raise _Fault(line, f"{text[:80]!r} is no {chosen[0]}", f"-- {chosen[0]}: {example}")
    if domain is not None and parts[0] != domain:
        raise _Fault(line, f"{text!r} is not in domain {domain}", f"name something of {domain}", FOREIGN_TABLE)
    padded: list[str | None] = [*parts, None, None]
    return parts[0], padded[1], major, padded[2]


def _to(headers: Mapping[str, tuple[str, int]]) -> frozenset[str]:
    if "to" not in headers:
        return frozenset()
    text, line = headers["to"]
    scopes = [part.strip() for part in text.split(",")]
    for scope in scopes:
        kind, _, name = scope.partition(":")
        if kind not in ("person", "team", "product") or not name:
            raise _Fault(line, f"{scope!r} is nobody", "team:analysts, person:ada or product:growth/basket")
    return frozenset(scopes)


def _predicate(body: str, line: int) -> exp.Expression:
    """Parse `body` as exactly one expression."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.parse(body, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        first = error.errors[0] if isinstance(error, sqlglot.ParseError) and error.errors else {}
        at = line + int(first.get("line") or 1) - 1
        said = str(first.get("description") or "it is no SQL expression").rstrip(".")
        raise _Fault(at, f"the predicate cannot be read: {said}", column=int(first.get("col") or 1)) from None
    if len(statements) != 1 or ";" in _outside_text(body):
        raise _Fault(line, "a row policy is one predicate, without a semicolon", "join conditions with AND")
    tree = statements[0]
    if not isinstance(tree, exp.Condition | exp.Paren) or isinstance(tree, exp.Query):
        raise _Fault(line, "the body is a statement, not a predicate", "write only what stands after WHERE")
    return cast("exp.Expression", tree)


def _outside_text(body: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$([a-z]*)\$.*?\$\1\$", "", body, flags=re.S)


def function_name(node: Any) -> str | None:
    """The lower-cased name of the function that `node` calls, None when it calls none."""
    from sqlglot import exp

    if not isinstance(node, exp.Func) or isinstance(node, exp.And | exp.Or):
        return None
    return str(node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def _check(tree: exp.Expression, line: int) -> frozenset[tuple[str, ...]]:
    """Refuse what a predicate may not do; return the tables it reads, lower-cased as SQL names are."""
    from sqlglot import exp

    allowed = (
        exp.Condition, exp.Query, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered,
        exp.Limit, exp.With, exp.CTE, exp.Table, exp.TableAlias, exp.Identifier, exp.DataType, exp.Var, exp.Alias,
        exp.Star, exp.Subquery, exp.Interval, exp.IntervalSpan, exp.JSONPath, exp.Distinct, exp.Slice, exp.Tuple,
        exp.JSONPathPart, exp.DataTypeParam, exp.Collate, exp.Escape, exp.Paren, exp.If, exp.PropertyEQ,
    )  # fmt: skip
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    reads: set[tuple[str, ...]] = set()
    for node in tree.walk():
        if not isinstance(node, allowed) or isinstance(node, exp.Placeholder | exp.Parameter | exp.Into):
            raise _Fault(line, f"{type(node).__name__.lower()} has no place in a row policy")
        name = function_name(node)
        if name is not None and name not in FUNCTIONS:
            close = nearest(name, FUNCTIONS)
            mend = f"nearest: {', '.join(close)}" if close else "plain text, number, date and list functions only"
            raise _Fault(line, f"function {name} is not allowed in a row policy", mend)
        if isinstance(node, exp.Column) and _principal_attribute(node) is None:
            first = node.parts[0].name.lower()
            if len(node.parts) > 1 and first == "principal":
                raise _Fault(line, "an attribute of the principal is one word", "principal.carrier")
        if isinstance(node, exp.Table):
            if not isinstance(node.this, exp.Identifier):
                raise _Fault(line, "a row policy reads tables, not functions or files")
            parts = tuple(part.name.lower() for part in node.parts)
            if len(parts) == 1 and parts[0] in ctes:
                continue
            if not all(is_name(_PINNED.sub(r"\1", part)) for part in parts) or len(parts) not in (2, 3):
                raise _Fault(line, f"{'.'.join(parts)[:80]!r} is no table", "domain.product.table")
            reads.add(parts)
    return frozenset(reads)
