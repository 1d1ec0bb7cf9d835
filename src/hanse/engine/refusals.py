"""What an engine says, told anew: its class and the caller's own words, never its text, hints or files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hanse.engine.errors import (
    BadParameter,
    DataDamaged,
    MemoryLimit,
    QueryFailed,
    TooLarge,
    UnknownColumn,
    UnknownTable,
    place_in,
)
from hanse.engine.gate import Gated
from hanse.engine.settings import Limits
from hanse.errors import HanseError
from hanse.names import nearest

_COLUMN = (
    re.compile(r'Referenced column "([^"]+)" (?:was )?not found'),
    re.compile(r'does not have a column named "([^"]+)"'),
    re.compile(r'Could not find key "([^"]+)" in struct'),
    re.compile(r'column "([^"]+)" does not exist', re.IGNORECASE),
    re.compile(r'Column "([^"]+)" in \w+ list not found', re.IGNORECASE),
)
_TABLE = re.compile(r'Referenced table "([^"]+)" not found')
_QUOTED = re.compile(r'"([^"]*)"|\'([^\']*)\'')
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_FAILED = {
    "ConversionException": ("a value cannot be converted to the type that is asked for", "use TRY_CAST"),
    "OutOfRangeException": ("a number is out of the range of its type", "cast to a larger type first, or use TRY_CAST"),
    "InvalidInputException": ("a function was given a value that it cannot take", "leave those rows out with WHERE"),
    "ParserException": ("the statement cannot be parsed", "mend the statement"),
    "SyntaxException": ("the statement cannot be parsed", "mend the statement"),
    "InvalidTypeException": ("a type in the statement does not exist", "use the types that DESCRIBE shows"),
    "TypeMismatchException": ("two types in the statement do not fit", "cast one of them"),
    "NotImplementedException": ("the engine cannot do this combination", "write it in another way"),
    "ConstraintException": ("a check in the statement failed", "look at the conditions of the statement"),
    "SequenceException": ("the statement reaches for what no question may reach", "ask for products only"),
}


def told(
    said: Mapping[str, str], gated: Gated, columns: Iterable[str], tables: Iterable[str], limits: Limits
) -> HanseError:
    """The error for an engine's `class` and `text`: nearest names come from the visible `columns` only."""
    name, text = said.get("class", ""), said.get("text", "")
    first = text.split("\n", 1)[0]
    match name:
        case "OutOfMemoryException" | "MemoryError" | "ArrowMemoryError":
            return MemoryLimit(limits.memory_bytes)
        case "ReplyTooLarge":
            return TooLarge(limits.reply_bytes)
        case "IOException" | "HTTPException" | "FileNotFoundError" | "OSError" | "PermissionException":
            # the gate lets no statement reach for files: only a relation can miss its own
            return DataDamaged(tables)
        case "BinderException" | "CatalogException":
            return _bound(first, gated, columns)
    if "parameter" in first.lower() and name == "InvalidInputException":
        return BadParameter("the values given do not fit the parameters of the statement")
    failed, mend = _FAILED.get(name, ("the statement failed on the data it may see", "compute in smaller steps"))
    return QueryFailed(failed, mend=mend)


def _bound(first: str, gated: Gated, columns: Iterable[str]) -> HanseError:
    known = list(columns)
    for pattern in _COLUMN:
        if match := pattern.search(first):
            missing = match[1]
            if _is_own(missing, gated):
                return UnknownColumn(missing, known, _place(missing, gated))
    if (match := _TABLE.search(first)) and _is_own(match[1], gated):
        return UnknownTable(match[1], nearest(match[1], [r.text for r in gated.references]))
    cleaned = re.sub(r"^(Binder|Catalog) Error:\s*", "", first)
    cleaned = re.split(r"\s*(?:Candidate|Did you mean|LINE \d)", cleaned, maxsplit=1)[0].strip()
    quoted = [one or other for one, other in _QUOTED.findall(cleaned)]
    if cleaned and "/" not in cleaned and all(_is_own(word, gated) or _is_type(word) for word in quoted):
        return QueryFailed(cleaned[:300], mend="mend the statement")
    return QueryFailed(
        "the statement does not fit the tables it names", mend="DESCRIBE domain.product lists its columns"
    )


def _is_own(word: str, gated: Gated) -> bool:
    return word.lower() in gated.text.lower()


def _is_type(word: str) -> bool:
    """Words such as `sum(VARCHAR)` or `INTEGER[]`: upper-case types and function names of the statement."""
    return all(part.isupper() for part in _WORD.findall(word.split("(", 1)[-1]))


def _place(missing: str, gated: Gated) -> str:
    for names, offset in gated.columns:
        if any(name.lower() == missing.lower() for name in names):
            return place_in(gated.text, offset)
    return ""
