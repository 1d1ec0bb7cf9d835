"""What went wrong while a contract was held against data, and how much of it may be said."""

from __future__ import annotations

# raised before any row is read: their texts hold the rule's own words and names only
_OF_THE_TEXT = frozenset({"BinderException", "CatalogException", "ParserException", "SyntaxException", "CannotJudge"})


class CannotJudge(ValueError):
    """A rule's query gave something that no operator can judge."""


def told(failure: Exception) -> str:
    """What may be said of `failure` in a report: the engine's other messages can repeat values of rows."""
    name = type(failure).__name__
    if name in _OF_THE_TEXT:
        return first_line(failure)
    kind = str(failure).partition(":")[0].strip()
    return f"the engine could not evaluate it ({kind if kind.endswith('Error') else name})"


def is_engine(failure: Exception) -> bool:
    """Whether the engine raised `failure` (a fault of data or rule), not hanse."""
    return type(failure).__module__.partition(".")[0] in ("duckdb", "_duckdb")


def first_line(failure: Exception) -> str:
    """The first line of an engine's message, without its class."""
    text = str(failure).strip().partition("\n")[0]
    head, sep, rest = text.partition(": ")
    return (rest if sep and head.endswith("Error") else text)[:300]
