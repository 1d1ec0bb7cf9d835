"""Replace one value in a text by its span, and leave every other line as it is."""

from __future__ import annotations

import copy
import re
from typing import Any

import yaml

from hanse.spec.compose import Node
from hanse.spec.pointer import parts_of


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 reads as a number and 1.1 as text, too."""


for _tag, _spelling in (
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"),
    ("int", r"0o[0-7]+|0x[0-9a-fA-F]+"),
    ("bool", r"[yYnN]"),
):
    _Dumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_spelling})\Z"), list("-+.0123456789yYnN")
    )

# plain in every context, flow included: words, and versions, which no YAML reads as a number
_PLAIN = re.compile(r"[^\W\d](?:[\w ./+()=-]*[\w/)])?|[0-9]+\.[0-9]+\.[0-9]+")


def apply(text: str, root: Node, tree: Any, pointer: str, value: Any) -> tuple[str, Any]:
    """The text with `value` at `pointer`, and the tree it must read as; ValueError when there is no such place."""
    parts = parts_of(pointer)
    if not parts:
        raise ValueError("the whole document cannot be replaced")
    node = root
    for part in parts[:-1]:
        found = node.child(part)
        if found is None:
            raise ValueError(f"there is no {part!r}")
        node = found[1]
        if node.style == "*":
            raise ValueError("it stands in an alias, and other places would change too")
    last = parts[-1]
    found = node.child(last)
    if found is None and node.children is None and (node.items is None or last not in ("-", str(len(node.items)))):
        raise ValueError(f"there is no {last!r}")
    expected = _with(tree, parts, value)
    if found is not None and not _same(found[1].value, value):
        return _replace(text, found[1], node, value), expected
    if found is not None:
        return text, expected
    if node.children is not None:
        return _add_member(text, node, last, value), expected
    return _add_item(text, node, value), expected


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


def _with(tree: Any, parts: list[str], value: Any) -> Any:
    changed = copy.deepcopy(tree)
    at = changed
    for part in parts[:-1]:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if isinstance(at, list):
        if parts[-1] == "-" or int(parts[-1]) == len(at):
            at.append(value)
        else:
            at[int(parts[-1])] = value
    else:
        at[parts[-1]] = value
    return changed


def _flow(value: Any) -> str:
    """`value` on one line, in YAML's flow style."""
    shown = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        width=1 << 20,
        allow_unicode=True,
        sort_keys=False,
        line_break="\n",
    )
    return shown.removesuffix("...\n").rstrip("\n")


def _scalar(value: Any) -> str:
    """A scalar that YAML 1.1 and 1.2 read alike."""
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and _flow(value) == value):
        return yaml.dump(value, Dumper=_Dumper, default_style='"', width=1 << 20, allow_unicode=True).rstrip("\n")
    return _flow(value)


def _inline(value: Any) -> str:
    return _flow(value) if isinstance(value, (dict, list)) else _scalar(value)


def _block(value: Any, indent: int) -> list[str]:
    shown = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, width=1 << 20, allow_unicode=True, sort_keys=False
    )
    return [" " * indent + line for line in shown.rstrip("\n").split("\n")]


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end(text: str, node: Node) -> int:
    """Where the text of `node` ends: without the blank lines and comments that follow a block."""
    if node.children is not None and node.style != "*" and not node.flow:
        return max((_end(text, part) for pair in node.children.values() for part in pair), default=node.stop)
    if node.items is not None and node.style != "*" and not node.flow:
        return max((_end(text, item) for item in node.items), default=node.stop)
    if node.style in ("|", ">"):
        return node.start + len(text[node.start : node.stop].rstrip())
    return node.stop


def _line_end(text: str, index: int) -> int:
    """The end of the line that `index` is on, before its newline."""
    found = text.find("\n", index)
    end = len(text) if found < 0 else found
    return end - 1 if end > index and text[end - 1] == "\r" else end


def _replace(text: str, node: Node, parent: Node, value: Any) -> str:
    start, end = node.start, _end(text, node)
    compound = isinstance(value, (dict, list)) and bool(value)
    if compound and not parent.flow and parent.children is not None and node.flow is False and node.style != "*":
        indent = parent.column + 2
        newline = _newline(text)
        before = (
            text[:start].rstrip(" \t\r\n")
            if "\n" in text[text.rfind(":", 0, start) : start]
            else text[:start].rstrip(" ")
        )
        return before + newline + newline.join(_block(value, indent)) + text[end:]
    shown = _inline(value)
    gap = "" if start == end and text[start - 1 : start] in (" ", "\n", "[", "{") else " " if start == end else ""
    return text[:start] + gap + shown + text[end:]


def _add_member(text: str, node: Node, key: str, value: Any) -> str:
    name = _scalar(key)
    if node.flow or not node.children:
        inside = text[node.start + 1 : node.stop - 1].strip()
        comma = ", " if inside and not inside.endswith(",") else " " if inside else ""
        at = node.start + len(text[node.start : node.stop - 1].rstrip())
        return text[:at] + f"{comma}{name}: {_inline(value)}" + text[node.stop - 1 :]
    at = _line_end(text, _end(text, node))
    newline = _newline(text)
    indent = next(iter(node.children.values()))[0].column
    if isinstance(value, (dict, list)) and value:
        lines = [" " * indent + name + ":", *_block(value, indent + 2)]
    else:
        lines = [" " * indent + f"{name}: {_inline(value)}"]
    return text[:at] + newline + newline.join(lines) + text[at:]


def _add_item(text: str, node: Node, value: Any) -> str:
    if node.flow or not node.items:
        inside = text[node.start + 1 : node.stop - 1].strip()
        comma = ", " if inside and not inside.endswith(",") else " " if inside else ""
        at = node.start + len(text[node.start : node.stop - 1].rstrip())
        return text[:at] + comma + _inline(value) + text[node.stop - 1 :]
    at = _line_end(text, _end(text, node))
    return text[:at] + _newline(text) + _newline(text).join(_block([value], node.column)) + text[at:]
