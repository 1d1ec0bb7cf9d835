"""From a schema's errors to findings at the true cause: alternatives unfolded, consequences left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hanse.errors import Kind, code
from hanse.names import nearest

TYPE = code(
    "schema.type", Kind.INVALID, "A value has the wrong type", "The standard gives every member its type.",
    "Write a value of the named type; quote text that looks like a number.",
)  # fmt: skip
REQUIRED = code(
    "schema.required", Kind.INVALID, "A member is missing", "The standard demands this member here.", "Add the member.",
)  # fmt: skip
UNKNOWN_KEY = code(
    "schema.unknown-key", Kind.INVALID, "A key is not known here",
    "The standard names the members of each object; a key it does not know would be read by nobody.",
    "Correct the spelling, or move it under customProperties.",
)  # fmt: skip
ENUM = code(
    "schema.enum", Kind.INVALID, "A value is not one of the known ones",
    "The standard lists the values of this member.",
    "Write one of the listed values.",
)  # fmt: skip
PATTERN = code(
    "schema.pattern", Kind.INVALID, "A value is not written as it must be",
    "The standard gives a pattern for this value.",
    "Write the value as the pattern demands.",
)  # fmt: skip
LENGTH = code(
    "schema.length", Kind.INVALID, "Too few or too many entries", "The standard bounds the size of this value.",
    "Add or remove entries.",
)  # fmt: skip
BOUNDS = code(
    "schema.bounds", Kind.INVALID, "A number is out of bounds", "The standard bounds this number.",
    "Write a number within the bounds.",
)  # fmt: skip
UNIQUE = code(
    "schema.unique", Kind.INVALID, "An entry is repeated", "The standard wants these entries to differ.",
    "Remove the repeated entry.",
)  # fmt: skip
ONE_OF = code(
    "schema.one-of", Kind.INVALID, "Not exactly one of the alternatives",
    "The standard offers alternatives here, of which exactly one is to be used.", "Keep one of them.",
)  # fmt: skip
RULE = code(
    "schema.rule", Kind.INVALID, "The schema of the standard does not allow this",
    "A rule of the standard's schema is broken.", "Write it as the standard has it.",
)  # fmt: skip

_MOST = 1000  # errors looked at: more would only repeat one mistake
Path = tuple[str | int, ...]
_TYPES = {
    "object": "an object", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
    "boolean": "true or false", "null": "null",
}  # fmt: skip
# keys that people write and what the standards call them, where spelling alone does not lead there
_OTHER_WORDS = {
    "columns": "properties",
    "tables": "schema",
    "type": "logicalType",
    "owner": "team",
    "datatype": "logicalType",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One error of a schema: where in the document, which code, what and how to mend it."""

    path: Path
    code: str
    message: str
    mend: str
    on_key: bool = False


def causes(errors: Iterable[Any], schema: dict[str, Any], tree: Any) -> list[Cause]:
    """The causes behind `errors` (of jsonschema-rs), each once, without those that only follow from another."""
    pending = list(islice(errors, _MOST))
    found: list[Cause] = []
    unknown: list[Any] = []
    for error in pending:
        if _is(error, "UnevaluatedProperties", "AdditionalProperties"):
            unknown.append(error)
        else:
            found += _unfold(error, schema, unknown)
    failing = {cause.path[:-1] if cause.code == REQUIRED or cause.on_key else cause.path for cause in found}
    missing = {cause.path[:-1] for cause in found if cause.code == REQUIRED}
    found = [cause for cause in found if cause.code != ONE_OF or cause.path not in missing]
    for error in unknown:
        found += _unknown_keys(error, schema, failing)
    seen: dict[tuple[Path, str, str], Cause] = {}
    for cause in found:
        seen.setdefault((cause.path, cause.code, cause.message), cause)
    return list(seen.values())


def _is(error: Any, *names: str) -> bool:
    return type(error.kind).__name__.rpartition(".")[2] in names


def _unfold(error: Any, schema: dict[str, Any], unknown: list[Any]) -> Iterator[Cause]:
    """The causes of one error; errors about unknown keys found on the way go to `unknown`."""
    if _is(error, "UnevaluatedProperties", "AdditionalProperties"):
        unknown.append(error)
    elif _is(error, "AnyOf", "OneOfNotValid"):
        yield from _alternatives(error, schema, unknown)
    else:
        yield _plain(error)


def _alternatives(error: Any, schema: dict[str, Any], unknown: list[Any]) -> Iterator[Cause]:
    """The branch that the writer most likely meant: of the value's type, with its members, nearest to valid."""
    path: Path = tuple(error.instance_path)
    branches: list[list[Any]] = [list(branch) for branch in error.kind.context]
    here = [[e for e in branch if tuple(e.instance_path) == path] for branch in branches]
    missing = [next((e for e in branch if _is(e, "Required")), None) for branch in here]
    if branches and all(m is not None and len(b) == 1 for m, b in zip(missing, branches, strict=True)):
        names = [m.kind.property for m in missing if m is not None]
        yield Cause(
            path, REQUIRED, f"one of {', '.join(names)} is missing", f"add one of them, such as '{names[0]}: …'"
        )
        return
    fitting = [b for b, h in zip(branches, here, strict=True) if not any(_is(e, "Type", "Required") for e in h)]
    if not fitting:
        wanted = [e for h in here for e in h if _is(e, "Type")]
        if len(wanted) == len(branches) and all(wanted):
            types = list(dict.fromkeys(_TYPES.get(t, t) for e in wanted for t in e.kind.types))
            yield Cause(
                path, TYPE, f"{_at(path)} is {_kind_of(error.instance)}, where {' or '.join(types)} is wanted",
                f"write {types[0]}",
            )  # fmt: skip
            return
        fitting = [b for b, h in zip(branches, here, strict=True) if not any(_is(e, "Type") for e in h)] or branches
    if all(len(b) == 1 and _is(b[0], "Pattern") for b in fitting):
        patterns = [b[0] for b in fitting]
        yield _plain(patterns[0])
        return
    best = min(fitting, key=lambda b: (len(b), -max(len(tuple(e.instance_path)) for e in b)))
    for part in best:
        yield from _unfold(part, schema, unknown)


def _plain(error: Any) -> Cause:
    path: Path = tuple(error.instance_path)
    kind, value = error.kind, error.instance
    match type(kind).__name__.rpartition(".")[2]:
        case "Required":
            name = kind.property
            return Cause((*path, name), REQUIRED, f"{name!r} is missing{_in(path)}", f"add '{name}: …'")
        case "Type":
            types = [_TYPES.get(t, t) for t in kind.types]
            mend = f"write {types[0]}"
            if "string" in kind.types and isinstance(value, (int, float)):
                mend = f'quote it: {path[-1] if path else "value"}: "{_show(value)}"'
            return Cause(path, TYPE, f"{_at(path)} is {_kind_of(value)}, where {' or '.join(types)} is wanted", mend)
        case "Enum" | "Constant":
            options = kind.options if hasattr(kind, "options") else [kind.expected_value]
            words = [str(option) for option in options]
            near = nearest(str(value), words, 1)
            listed = ", ".join(words[:20]) + (", …" if len(words) > 20 else "")
            mend = f"write {near[0]}" if near else f"write one of: {listed}"
            return Cause(path, ENUM, f"{_at(path)} is {_show(value)}, which is none of {listed}", mend)
        case "Pattern":
            return Cause(
                path, PATTERN, f"{_at(path)} is {_show(value)}, which does not match {kind.pattern}",
                "write it as the pattern demands",
            )  # fmt: skip
        case "MinItems" | "MaxItems" | "MinLength" | "MaxLength" as name:
            least = "at least" if name.startswith("Min") else "at most"
            unit = "entries" if name.endswith("Items") else "characters"
            return Cause(
                path, LENGTH, f"{_at(path)} has {len(value)} {unit}, where {least} {kind.limit} are wanted",
                f"write {least} {kind.limit}",
            )  # fmt: skip
        case "Minimum" | "Maximum" | "ExclusiveMinimum" | "ExclusiveMaximum" | "MultipleOf":
            return Cause(path, BOUNDS, f"{_at(path)}: {error.message[:200]}", "write a number within the bounds")
        case "UniqueItems":
            return Cause(path, UNIQUE, f"{_at(path)} repeats an entry", "remove the repeated entry")
        case "OneOfMultipleValid":
            names = [str(key) for key in value] if isinstance(value, dict) else []
            operators = [name for name in names if name.startswith("must")]
            if operators:
                return Cause(
                    path, ONE_OF, f"a rule has one operator, this has {', '.join(operators)}",
                    f"keep {operators[0]}, and write the others as rules of their own",
                )  # fmt: skip
            return Cause(path, ONE_OF, f"{_at(path)} fits more than one of the alternatives", "keep one of them")
        case "Not":
            member = kind.schema.get("required", [""])[0] if isinstance(kind.schema, dict) else ""
            if member:
                return Cause(
                    (*path, member), UNKNOWN_KEY, f"key {member!r} is not used here", f"remove {member!r}", on_key=True
                )
            return Cause(path, RULE, f"{_at(path)} is not allowed here", "remove it")
        case _:
            return Cause(path, RULE, f"{_at(path)}: {error.message[:200]}", "write it as the standard has it")


def _unknown_keys(error: Any, schema: dict[str, Any], failing: set[Path]) -> Iterator[Cause]:
    path: Path = tuple(error.instance_path)
    instance = error.instance
    owner = _resolve(schema, list(error.schema_path)[:-1])
    applying = _members(owner, schema, instance)
    anywhere = _members(owner, schema, None)
    # once something else is wrong with this object, a condition that would have allowed the key may not have held
    known = anywhere if any(where[: len(path)] == path for where in failing) else applying
    for i, name in enumerate(error.kind.unexpected[:_MOST]):
        if name in known:
            continue
        offered = _OTHER_WORDS.get(name) if _OTHER_WORDS.get(name) in applying else None
        near = [offered] if offered else nearest(name[:100], applying, 1) if i < _MOST // 10 else []
        kind_of = instance.get("type") if isinstance(instance, dict) and name in anywhere else None
        where = f" for type {kind_of!r}" if isinstance(kind_of, str) else _in(path)
        mend = f"write {near[0]}" if near else "remove it, or move it under customProperties"
        nearest_is = f". The nearest known key is {near[0]}" if near else ""
        yield Cause((*path, name), UNKNOWN_KEY, f"key {name!r} is not known{where}{nearest_is}", mend, on_key=True)


def _resolve(schema: dict[str, Any], path: list[str | int]) -> dict[str, Any]:
    at: Any = schema
    for part in path:
        at = at[int(part)] if isinstance(at, list) else at.get(str(part), {})
    return at if isinstance(at, dict) else {}


def _members(part: Any, schema: dict[str, Any], instance: Any) -> set[str]:
    """The member names that `part` speaks of: for `instance`, or under any condition when that is None."""
    if not isinstance(part, dict):
        return set()
    names = set(part.get("properties", {}))
    if isinstance(reference := part.get("$ref"), str):
        names |= _members(_resolve(schema, list(reference.removeprefix("#/").split("/"))), schema, instance)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in part.get(keyword, ()):
            names |= _members(branch, schema, instance)
    if "then" in part and (instance is None or _holds(part.get("if"), instance)):
        names |= _members(part["then"], schema, instance)
    return names


def _holds(condition: Any, instance: Any) -> bool:
    import jsonschema_rs

    return bool(jsonschema_rs.Draft201909Validator(condition).is_valid(instance))


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {_show(value)}"
    if isinstance(value, str):
        return f"the text {_show(value)}"
    return "a list" if isinstance(value, list) else "an object"


def _show(value: Any) -> str:
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _at(path: Path) -> str:
    named = next((part for part in reversed(path) if isinstance(part, str)), None)
    if named is None:
        return "the document" if not path else f"entry {path[-1]}"
    return f"entry {path[-1]} of {named!r}" if isinstance(path[-1], int) else f"{named!r}"


def _in(path: Path) -> str:
    return "" if not path else f" in {_at(path)}"
