"""Load descriptor text with marks, dump it unchanged, edit single values of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hanse.errors import Finding, HanseError, Kind, Place, code
from hanse.spec.compose import LIMIT_BYTES, SIZE, Fault, Node, compose
from hanse.spec.edits import apply
from hanse.spec.pointer import parts_of

ENCODING = code(
    "yaml.encoding",
    Kind.INVALID,
    "A descriptor is not UTF-8 text",
    "Descriptors are UTF-8 without control characters, so that every tool and every person reads the same text.",
    "Save the file as UTF-8 and remove the named character.",
)

# tab, line feed and carriage return are text; NEL is YAML's; surrogates and non-characters are no text at all
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BOM = "\ufeff"


class EditFailed(HanseError):
    kind = Kind.INVALID
    code = code(
        "document.edit-failed",
        Kind.INVALID,
        "A value could not be changed in place",
        "An edit changes only the lines of the value and proves it by reading the result; this one would change more.",
        "Change the value by hand in the file.",
    )

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(f"{pointer or '/'} could not be changed in place: {reason}", mend="change it by hand")


@dataclass(frozen=True, slots=True)
class Document:
    """A descriptor: its text as it was read and the tree of it; dates stay text, comments stay in the text."""

    file: str
    text: str
    tree: Any
    root: Node = field(repr=False, compare=False)

    def place(self, pointer: str, *, key: bool = False) -> Place:
        """Where the value at `pointer` (RFC 6901) stands, or its key; the nearest parent when it is absent."""
        node = at = self.root
        on_key: Node | None = None
        for part in parts_of(pointer):
            found = at.child(part)
            if found is None:
                break
            on_key, at = found
            node = at
        else:
            if key and on_key is not None:
                node = on_key
        return Place(self.file, node.line + 1, node.column + 1, pointer)


def load(text: str | bytes, file: str) -> tuple[Document | None, list[Finding]]:
    """Read YAML (or JSON, which is YAML) within the limits; a document only when there is no finding."""
    decoded = _decode(text, file)
    if isinstance(decoded, Finding):
        return None, [decoded]
    source = decoded.removeprefix(_BOM)
    try:
        root, faults = compose(source, offset=len(decoded) - len(source))
    except Fault as fault:
        root, faults = None, [fault]
    findings = [
        Finding.at(Place(file, f.line + 1, f.column + 1, f.pointer), f.code, f.message, why=f.why, mend=f.mend)
        for f in faults
    ]
    if root is None or findings:
        return None, sorted(findings)
    return Document(file, decoded, root.value, root), []


def dump(document: Document) -> str:
    """The text of `document`: the very text it was read from."""
    return document.text


def edit(document: Document, changes: Mapping[str, Any]) -> Document:
    """Set each pointer to its value, touching only the lines of those values; raise `EditFailed` otherwise.

    An absent member is added at the end of its object, `…/-` at the end of its list; comments are kept.
    """
    for target, value in changes.items():
        try:
            text, expected = apply(document.text, document.root, document.tree, target, value)
        except ValueError as error:
            raise EditFailed(target, str(error)) from None
        edited, findings = load(text, document.file)
        if edited is None:
            raise EditFailed(target, findings[0].message)
        if edited.tree != expected:
            raise EditFailed(target, "the lines around it would have changed their meaning")
        document = edited
    return document


def _decode(text: str | bytes, file: str) -> str | Finding:
    """`text` as a string without control characters, or the finding that says why it is none."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > LIMIT_BYTES:
        return Finding.at(
            Place(file), SIZE, f"the file has {size:,} bytes; at most {LIMIT_BYTES:,} are read".replace(",", " "),
            mend="split the file, or keep data out of it",
        )  # fmt: skip
    if isinstance(text, bytes):
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            column = error.start - text.rfind(b"\n", 0, error.start)
            return Finding.at(
                Place(file, line, column), ENCODING, f"byte 0x{text[error.start]:02x} is not UTF-8",
                mend="save the file as UTF-8",
            )  # fmt: skip
    else:
        decoded = text
    control = _CONTROL.search(decoded)
    if control is not None:
        line = decoded.count("\n", 0, control.start()) + 1
        column = control.start() - decoded.rfind("\n", 0, control.start())
        return Finding.at(
            Place(file, line, column), ENCODING, f"control character U+{ord(control[0]):04X} in the text",
            mend="remove the character, or write it as an escape where a value needs it",
        )  # fmt: skip
    return decoded
