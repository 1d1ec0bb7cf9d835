"""From YAML events to a tree with marks; every limit is checked on the events, before anything is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from hanse.errors import Kind, code
from hanse.spec.pointer import pointer

LIMIT_BYTES = 1 << 20
LIMIT_DEPTH = 64
LIMIT_ALIASES = 64
LIMIT_VALUES = 200_000  # keys included; 1 MiB of the tersest columns has fewer
LIMIT_EXPANDED = 10_000  # nodes that all aliases together may stand for

SIZE = code(
    "yaml.size", Kind.INVALID, "A descriptor is too large",
    "Descriptors are written by people: at most 1 MiB and 200 000 keys and values are read.",
    "Split the file, or keep data out of it.",
)  # fmt: skip
SYNTAX = code(
    "yaml.syntax", Kind.INVALID, "The text is not YAML", "The file cannot be read as one YAML document.",
    "Mend the text at the named place; JSON is read as well.",
)  # fmt: skip
DOCUMENTS = code(
    "yaml.documents", Kind.INVALID, "More than one document, or none",
    "A descriptor file holds exactly one document, so that nothing in it can be overlooked.",
    "Put each document in a file of its own.",
)  # fmt: skip
ALIAS_BOMB = code(
    "yaml.alias-bomb", Kind.INVALID, "Too many aliases",
    "Aliases can make a small file stand for a huge one; at most 64 are read, for at most 10 000 values.",
    "Write the values out.",
)  # fmt: skip
DEPTH = code(
    "yaml.depth", Kind.INVALID, "Nested too deep", "At most 64 levels are read; no descriptor needs more.",
    "Flatten the structure.",
)  # fmt: skip
DUPLICATE_KEY = code(
    "yaml.duplicate-key", Kind.INVALID, "A key is written twice",
    "Readers differ in which of the two they take, so neither is safe.", "Remove one of the two.",
)  # fmt: skip
UNSAFE_TAG = code(
    "yaml.unsafe-tag", Kind.INVALID, "A YAML tag is not allowed",
    "Tags can make a loader build objects or run code; descriptors need none beyond the plain types.",
    "Remove the tag.",
)  # fmt: skip
IMPLICIT_TYPE = code(
    "yaml.implicit-type", Kind.INVALID, "A plain value reads differently in different tools",
    "YAML 1.1 and 1.2 give this spelling different types, so two tools would see two values.",
    "Quote the value when it is text, else write the number or true/false plainly.",
)  # fmt: skip
KEY = code(
    "yaml.key", Kind.INVALID, "A key is not text", "Every key of a descriptor is plain text, no list and no object.",
    "Write the key as text.",
)  # fmt: skip

_LONGEST = 400  # characters of a number; what is longer is text
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_OTHER_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
# spellings that YAML 1.1 reads as a boolean, an octal, binary, underscored or base-60 number, and 1.2 as something else
_AMBIGUOUS = re.compile(
    r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?0[0-9_]+|[-+]?0b[01_]+|[-+]?[1-9][0-9_]*_[0-9_]*|[-+]?0x[0-9a-fA-F_]*_[0-9a-fA-F_]*"
    r"|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    re.ASCII,
)
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {_CORE + name: name for name in ("str", "int", "float", "bool", "null")}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_START = frozenset("~0123456789-+.~nNtTfFyYoO")


class Node:
    """A value with its marks (0-based); `children` are key and value pairs of an object, or the items of a list."""

    __slots__ = ("children", "column", "end_line", "flow", "items", "line", "size", "start", "stop", "style", "value")

    def __init__(self, value: Any, start: Any, stop: Any, offset: int, style: str | None = None) -> None:
        self.value = value
        self.line: int = start.line
        self.column: int = start.column
        self.start: int = start.index + offset
        self.stop: int = stop.index + offset
        self.end_line: int = stop.line
        self.style = style
        self.flow = False
        self.children: dict[str, tuple[Node, Node]] | None = None
        self.items: list[Node] | None = None
        self.size = 1

    def end(self, event: Any, offset: int) -> None:
        """Let the node reach to the end of `event`."""
        self.stop, self.end_line = event.end_mark.index + offset, event.end_mark.line

    def child(self, part: str) -> tuple[Node | None, Node] | None:
        """The key (None in a list) and the value called `part`."""
        if self.children is not None:
            return self.children.get(part)
        if self.items is not None and part.isascii() and part.isdigit() and int(part) < len(self.items):
            return None, self.items[int(part)]
        return None


@dataclass
class Fault(Exception):
    """What is wrong with the text, where (0-based) and how to mend it."""

    code: str
    message: str
    line: int
    column: int
    pointer: str = ""
    why: str = ""
    mend: str = ""


class _Composer:
    """Builds the tree from one stream of events; keeps going after what does not confuse the rest."""

    def __init__(self, events: Iterator[Any], offset: int) -> None:
        self.events = events
        self.offset = offset
        self.anchors: dict[str, Node | None] = {}
        self.aliases = 0
        self.expanded = 0
        self.values = 0
        self.path: list[str] = []
        self.faults: list[Fault] = []

    def fault(self, code: str, message: str, mark: Any, *, mend: str = "", why: str = "") -> Fault:
        return Fault(code, message, mark.line, mark.column, pointer(*self.path), why, mend)

    def node(self, event: Any, depth: int) -> Node:
        self.values += 1
        if self.values > LIMIT_VALUES:
            raise self.fault(
                SIZE,
                f"more than {LIMIT_VALUES} keys and values",
                event.start_mark,
                mend="split the file, or keep data out of it",
            )
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self.scalar(event), event.start_mark, event.end_mark, self.offset, event.style or None)
            if event.anchor is not None:
                self.anchors[event.anchor] = node
            return node
        if depth >= LIMIT_DEPTH:
            raise self.fault(
                DEPTH, f"nested deeper than {LIMIT_DEPTH} levels", event.start_mark, mend="flatten the structure"
            )
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        sequence = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", _CORE + ("seq" if sequence else "map")):
            self.tag(event)
        node = self.sequence(event, depth) if sequence else self.mapping(event, depth)
        node.flow = event.flow_style
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any) -> Node:
        self.aliases += 1
        if self.aliases > LIMIT_ALIASES:
            raise self.fault(
                ALIAS_BOMB, f"more than {LIMIT_ALIASES} aliases", event.start_mark, mend="write the values out"
            )
        target = self.anchors.get(event.anchor)
        if event.anchor not in self.anchors:
            raise self.fault(
                SYNTAX, f"alias *{event.anchor} has no anchor before it", event.start_mark,
                mend=f"write &{event.anchor} before the value it stands for",
            )  # fmt: skip
        if target is None:
            raise self.fault(
                ALIAS_BOMB, f"alias *{event.anchor} stands inside its own value", event.start_mark,
                mend="write the value out",
            )  # fmt: skip
        self.expanded += target.size
        if self.expanded > LIMIT_EXPANDED:
            raise self.fault(
                ALIAS_BOMB, f"aliases stand for more than {LIMIT_EXPANDED} values", event.start_mark,
                mend="write the values out",
            )  # fmt: skip
        node = Node(target.value, event.start_mark, event.end_mark, self.offset, "*")
        node.children, node.items, node.size = target.children, target.items, target.size
        return node

    def sequence(self, event: Any, depth: int) -> Node:
        values: list[Any] = []
        node = Node(values, event.start_mark, event.end_mark, self.offset)
        node.items = []
        while not isinstance(step := next(self.events), yaml.SequenceEndEvent):
            self.path.append(str(len(values)))
            item = self.node(step, depth + 1)
            self.path.pop()
            values.append(item.value)
            node.items.append(item)
            node.size += item.size
        node.end(step, self.offset)
        return node

    def mapping(self, event: Any, depth: int) -> Node:
        values: dict[str, Any] = {}
        node = Node(values, event.start_mark, event.end_mark, self.offset)
        node.children = {}
        merged: list[Node] = []
        while not isinstance(step := next(self.events), yaml.MappingEndEvent):
            key = self.key(step, depth)
            name: str = key.value
            self.path.append(name)
            known = node.children.get(name)
            if known is not None and known[0] is not None:
                self.faults.append(
                    self.fault(
                        DUPLICATE_KEY,
                        f"key {name!r} on line {key.line + 1} is already set on line {known[0].line + 1}",
                        step.start_mark,
                        mend=f"remove line {key.line + 1} or line {known[0].line + 1}",
                    )
                )
            value = self.node(next(self.events), depth + 1)
            self.path.pop()
            node.size += value.size
            if name == "<<" and key.style is None:
                merged.append(value)
                continue
            values[name] = value.value
            node.children[name] = (key, value)
        for value in merged:
            self.merge(node, value)
        node.end(step, self.offset)
        return node

    def merge(self, node: Node, source: Node) -> None:
        """YAML 1.1's `<<`: members of `source` that `node` does not set itself."""
        for part in source.items if source.items is not None else [source]:
            if part.children is None:
                raise Fault(SYNTAX, "'<<' merges objects only", part.line, part.column, mend="write the members out")
            for name, (key, value) in part.children.items():
                if name not in node.value:
                    node.value[name] = value.value
                    assert node.children is not None
                    node.children[name] = (key, value)

    def key(self, event: Any, depth: int) -> Node:
        node = self.node(event, depth + 1)
        if node.children is not None or node.items is not None:
            raise self.fault(KEY, "a key is a list or an object", event.start_mark, mend="write the key as text")
        if isinstance(event, yaml.ScalarEvent):
            node.value = event.value  # `on`, `2013` or `null` as a key are text: JSON knows no other keys
        node.value = str(node.value)
        return node

    def tag(self, event: Any) -> None:
        self.faults.append(
            self.fault(UNSAFE_TAG, f"tag {event.tag[:80]!r} is not allowed", event.start_mark, mend="remove the tag")
        )

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        if (found := _CONTROL.search(text)) is not None:
            self.faults.append(
                self.fault(
                    "yaml.encoding", f"the value holds the control character U+{ord(found[0]):04X}", event.start_mark,
                    mend="remove the escape",
                )
            )  # fmt: skip
        if event.tag is None or event.tag == "!":
            if not event.implicit[0]:
                return text
        elif event.tag not in _SCALAR_TAGS:
            self.tag(event)
            return text
        elif _SCALAR_TAGS[event.tag] == "str":
            return text
        if not text:
            return None
        if text[0] not in _START:
            return text
        return self.plain(text, event)

    def plain(self, text: str, event: Any) -> Any:
        """The value of a plain scalar by the YAML 1.2 core schema; a spelling that 1.1 reads otherwise is a fault."""
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if len(text) > _LONGEST:
            return self.ambiguous(text, event) if text.isascii() and text.lstrip("-+").isdigit() else text
        if _INTEGER.fullmatch(text):
            return int(text)
        if _AMBIGUOUS.fullmatch(text):
            return self.ambiguous(text, event)
        if _FLOAT.fullmatch(text):
            value = float(text)
            return self.ambiguous(text, event) if value in (float("inf"), float("-inf")) else value
        if _OTHER_INTEGER.fullmatch(text):
            return int(text, 0)
        return text

    def ambiguous(self, text: str, event: Any) -> str:
        shown = text if len(text) <= 40 else text[:37] + "..."
        where = next((part for part in reversed(self.path) if not part.isdigit()), "value")
        boolean = text.lower() in ("yes", "no", "on", "off")
        plain = f"'{where}: {'true' if text.lower() in ('yes', 'on') else 'false'}' or " if boolean else ""
        self.faults.append(
            self.fault(
                IMPLICIT_TYPE, f"{where!r} is written {shown}, which YAML 1.1 and 1.2 read differently",
                event.start_mark, mend=f"{plain}'{where}: \"{shown}\"'",
            )
        )  # fmt: skip
        return text


def compose(text: str, offset: int = 0) -> tuple[Node | None, list[Fault]]:
    """The tree of `text` and what is wrong with it; raises the `Fault` that made reading on pointless.

    `offset` is added to every index, for text that was cut at its start.
    """
    events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
    composer = _Composer(events, offset)
    root: Node | None = None
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise composer.fault(
                        DOCUMENTS, "a second document begins here", event.start_mark,
                        mend="put each document in a file of its own",
                    )  # fmt: skip
                root = composer.node(next(events), 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        if "nesting depth" in str(error.problem):
            raise Fault(
                DEPTH, f"nested deeper than {LIMIT_DEPTH} levels", line, column, mend="flatten the structure"
            ) from None
        raise Fault(SYNTAX, _said(error), line, column, mend=_hint(text, line)) from None
    except yaml.YAMLError as error:
        raise Fault("yaml.encoding", f"the text cannot be read: {error}", 0, 0, mend="save the file as UTF-8") from None
    if root is None:
        raise Fault(DOCUMENTS, "the file holds no document", 0, 0, mend="write the document, or remove the file")
    return root, composer.faults


def _said(error: yaml.MarkedYAMLError) -> str:
    context = f" {error.context}" if error.context else ""
    return f"the text is not YAML: {error.problem}{context}"


def _hint(text: str, line: int) -> str:
    lines = text.splitlines()
    here = lines[line] if line < len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return "indent with spaces, not tabs"
    if "{{" in here or "*" in here or "@" in here or "%" in here:
        return "quote the value"
    return "look at the indentation, the quotes and the ': ' of this line and the one before"
