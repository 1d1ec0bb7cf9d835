"""Ids, names, versions, status and variables: what a document says it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hanse.errors import Kind, Severity, code
from hanse.names import NAME_LENGTH, Version, is_id, is_name, nearest
from hanse.spec.checks.report import Report

ID = code(
    "id.syntax", Kind.INVALID, "An id is not written as ids are",
    "Ids are parts of addresses, files and URNs: 1 to 255 of the characters A-Z a-z 0-9 . _ : / -, beginning with a "
    "letter or digit, without '..' and not ending in '.' or '/'.",
    "Write the id with these characters only; once published it never changes.",
)  # fmt: skip
NAME = code(
    "name.syntax", Kind.INVALID, "A name does not follow the grammar of names",
    "Domains, products, ports and tables are SQL names everywhere: lower case letters, digits and single underscores, "
    "beginning with a letter, at most 63 characters, not ending in _v and digits.",
    "Rename it, or give a table or port a customProperties entry 'address' that fits.",
)  # fmt: skip
VERSION = code(
    "version.syntax", Kind.INVALID, "A version is not SemVer",
    "Consumers pin the major of a version, so versions are MAJOR.MINOR.PATCH.", "Write it like 1.4.0.",
)  # fmt: skip
STATUS = code(
    "status.unknown", Kind.INVALID, "A status is not one of the known ones",
    "The life of a product or contract goes proposed, draft, active, deprecated, retired.", "Write one of these words.",
)  # fmt: skip
VARIABLE = code(
    "variable.unresolved", Kind.INVALID, "A variable is not resolved",
    "Validating opens nothing and reads no environment, so a ${VARIABLE} stays as written.",
    "Nothing to do when the reader of the file sets it; else write the value.",
)  # fmt: skip

_TITLE = 255
_UNREADABLE = re.compile("[\n\r\u2028\u2029\u202a-\u202e\u2066-\u2069]")
STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_.]{0,200}(?::?-[^}]{0,200})?\}")
_BAD_IN_ID = re.compile(r"[^A-Za-z0-9._:/-]")


def check_id(report: Report, pointer: str, value: Any) -> None:
    """An `id` follows its grammar; what offends is shown escaped."""
    if not isinstance(value, str) or is_id(value):
        return
    shown = ascii(value if len(value) <= 80 else value[:77] + "...")
    offending = "".join(dict.fromkeys(_BAD_IN_ID.findall(value)))
    if offending:
        reason = f"holds {offending[:20]!a}"
    elif not value:
        reason = "is empty"
    elif len(value) > 255:
        reason = f"has {len(value)} characters, at most 255 are read"
    elif ".." in value:
        reason = "holds '..'"
    elif value[-1] in "./":
        reason = f"ends in {value[-1]!r}"
    else:
        reason = f"begins with {value[0]!r}"
    fitting = re.sub(r"\.\.+", ".", _BAD_IN_ID.sub("-", value)).strip("./:_-")[:255]
    report.add(
        pointer, ID, f"id {shown} {reason}", why="an id is opaque, but must be safe in every address",
        mend=f"write {fitting}" if is_id(fitting) else "write letters, digits and . _ : / - only",
    )  # fmt: skip


def check_name(report: Report, pointer: str, value: str, what: str) -> None:
    """A name of a domain, product, port or table follows the grammar of names."""
    if is_name(value):
        return
    near = slug(value)
    report.add(
        pointer, NAME, f"{what} name {value[:80]!a} is not a name that SQL and addresses can carry",
        why="lower case, digits, single underscores", mend=f"write {near}", severity=report.binding,
    )  # fmt: skip


def check_title(report: Report, value: Any) -> None:
    """The title of a product or contract: any text that fits on a line."""
    if isinstance(value, str) and (len(value) > _TITLE or _UNREADABLE.search(value)):
        reason = f"has {len(value)} characters" if len(value) > _TITLE else "has several lines or changes its direction"
        report.add("/name", NAME, f"the name {reason}", why=f"a name is one line of at most {_TITLE} characters",
                   mend="shorten it, and tell the rest under description")  # fmt: skip


def slug(text: str) -> str:
    """The name nearest to `text` that follows the grammar of names."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"_+", "_", re.sub(r"[^a-z0-9]+", "_", spaced.lower())).strip("_")
    name = re.sub(r"\A[0-9]", lambda digit: f"n{digit[0]}", name)[:NAME_LENGTH].strip("_")
    return re.sub(r"_v([0-9]+)\Z", r"_version\1", name) or "unnamed"


def check_version(report: Report, pointer: str, value: Any, *, severity: Severity = Severity.ERROR) -> None:
    """A version is SemVer."""
    if not isinstance(value, str) or Version.parse(value) is not None or is_variable(value):
        return
    numbers = re.findall(r"\d+", value)[:3]
    near = ".".join([*(str(int(number[:9])) for number in numbers), "0", "0", "0"][:3]) if numbers else "1.0.0"
    report.add(
        pointer, VERSION, f"version {value[:40]!a} is not MAJOR.MINOR.PATCH", mend=f"write {near}",
        severity=severity,
    )  # fmt: skip


def check_status(report: Report, pointer: str, value: Any) -> None:
    """A status is one of the five words; absent is told in project mode."""
    if value is None:
        report.add(pointer, STATUS, "there is no status", mend="status: draft", severity=report.binding)
    elif value not in STATUSES:
        near = nearest(str(value), STATUSES, 1) or ["draft"]
        report.add(
            pointer, STATUS, f"status {str(value)[:40]!a} is none of {', '.join(STATUSES)}",
            mend=f"status: {near[0]}", severity=report.binding,
        )  # fmt: skip


def is_variable(text: str) -> bool:
    """Whether `text` holds a ${VARIABLE}."""
    return _VARIABLE.search(text) is not None


def check_variables(report: Report) -> None:
    """Every ${VARIABLE} outside SQL is told, once each, where it is first used."""
    if "${" not in report.document.text:
        return
    seen: set[str] = set()
    for pointer, text in _texts(report.document.tree, ""):
        for name in _VARIABLE.findall(text):
            if name not in seen:
                seen.add(name)
                report.add(
                    pointer, VARIABLE, f"{name[:60]} stays as written",
                    mend="set it where the file is read, or write the value", severity=Severity.NOTE,
                )  # fmt: skip


def _texts(tree: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, str):
        yield pointer, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key not in ("query", "implementation"):
                yield from _texts(value, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from _texts(value, f"{pointer}/{i}")
