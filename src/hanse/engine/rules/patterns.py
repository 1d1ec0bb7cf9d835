"""ECMA-262 patterns, as the standard has them, in the syntax of the engine's RE2; what differs is told, not guessed."""

from __future__ import annotations

import re

_UNABLE = (
    ("(?=", "a look-ahead"),
    ("(?!", "a look-ahead"),
    ("(?<=", "a look-behind"),
    ("(?<!", "a look-behind"),
)
_HEX = re.compile(r"[0-9A-Fa-f]")
_SPACE = r"\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_NOT_NEWLINE = r"[^\n\r\x{2028}\x{2029}]"


class CannotTranslate(ValueError):
    """The pattern uses something that RE2 does not have; the message names it."""


def re2(pattern: str) -> str:
    """`pattern` (ECMA-262) as RE2 text with the same meaning; `CannotTranslate` when there is none."""
    out: list[str] = []
    index, inside = 0, False
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            text, index = _escape(pattern, index, inside)
            out.append(text)
            continue
        if inside:
            if char == "]":
                inside = False
            out.append("\\[" if char == "[" else char)
        elif char == "[":
            if pattern.startswith("[^]", index):
                out.append(r"(?s:.)")
                index += 3
                continue
            if pattern.startswith("[]", index):
                out.append(r"[^\x00-\x{10FFFF}]")
                index += 2
                continue
            inside = True
            out.append(char)
            if pattern.startswith("[^", index):
                out.append("^")
                index += 1
        elif char == "(":
            for start, what in _UNABLE:
                if pattern.startswith(start, index):
                    raise CannotTranslate(f"it has {what} ({start}…), which the engine's RE2 does not know")
            if pattern.startswith("(?<", index):
                out.append("(?P<")
                index += 3
                continue
            out.append(char)
        elif char == ".":
            out.append(_NOT_NEWLINE)
        else:
            out.append(char)
        index += 1
    return "".join(out)


def _escape(pattern: str, index: int, inside: bool) -> tuple[str, int]:
    """The escape at `index` in RE2's syntax, and where it ends."""
    if index + 1 == len(pattern):
        raise CannotTranslate("it ends in a backslash")
    char = pattern[index + 1]
    after = index + 2
    if char in "123456789":
        raise CannotTranslate(f"it refers back to a group (\\{char}), which the engine's RE2 does not know")
    if char == "k" and pattern.startswith("<", after) and not inside:
        raise CannotTranslate("it refers back to a named group, which the engine's RE2 does not know")
    if char == "0":
        return r"\x00", after
    if char == "u" and len(digits := _hex(pattern, after, 4)) == 4:
        return f"\\x{{{digits}}}", after + 4
    if char == "x" and len(digits := _hex(pattern, after, 2)) == 2:
        return f"\\x{{{digits}}}", after + 2
    if char == "c" and after < len(pattern) and pattern[after].isascii() and pattern[after].isalpha():
        return f"\\x{{{ord(pattern[after]) % 32:02x}}}", after + 1
    if char == "s":
        return (_SPACE if inside else f"[{_SPACE}]"), after
    if char == "S":
        if inside:
            raise CannotTranslate(r"it has \S inside a class, which means something else in the engine's RE2")
        return f"[^{_SPACE}]", after
    if char == "b" and inside:
        return r"\x08", after
    if char in "dDwWbBtnvfrpP":
        return f"\\{char}", after
    return re.escape(char), after  # an identity escape: the character itself


def _hex(pattern: str, start: int, length: int) -> str:
    digits = pattern[start : start + length]
    return digits if all(_HEX.fullmatch(d) for d in digits) else ""
