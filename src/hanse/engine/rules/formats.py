"""String formats of the standard, as patterns; and date formats as Java writes them, as the engine reads them."""

from __future__ import annotations

from collections.abc import Mapping

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H16 = r"[0-9A-Fa-f]{1,4}"
_LS32 = rf"(?:{_H16}:{_H16}|{_IPV4})"
# RFC 3986, IPv6address: nine forms by how many groups stand before the double colon
_IPV6 = "|".join(
    [
        rf"(?:{_H16}:){{6}}{_LS32}",
        rf"::(?:{_H16}:){{5}}{_LS32}",
        *(rf"(?:(?:{_H16}:){{0,{n}}}{_H16})?::(?:{_H16}:){{{4 - n}}}{_LS32}" for n in range(4)),
        rf"(?:(?:{_H16}:){{0,4}}{_H16})?::{_LS32}",
        rf"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}",
        rf"(?:(?:{_H16}:){{0,6}}{_H16})?::",
    ]
)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"

PATTERNS: Mapping[str, str] = {
    "email": rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_HOST}|\[(?:{_IPV4}|IPv6:(?:{_IPV6}))\])$",
    "uuid": r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$",
    "ipv4": rf"^{_IPV4}$",
    "ipv6": rf"^(?:{_IPV6})$",
    "hostname": rf"^{_HOST}\.?$",
    "byte": r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
LENGTHS: Mapping[str, int] = {"hostname": 253, "email": 254}  # RFC 1123 and RFC 5321
UNTESTABLE: Mapping[str, str] = {
    "password": "a password's format says how it is shown, not what it is",
    "binary": "any text is a sequence of octets",
}

INTEGERS: Mapping[str, tuple[int, int]] = {
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64, 128)},
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64, 128)},
}

_JDK: Mapping[str, str] = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "uu": "%y",
    "MM": "%m", "M": "%-m", "MMM": "%b", "MMMM": "%B", "LLL": "%b", "LLLL": "%B",
    "dd": "%d", "d": "%-d", "DDD": "%j", "E": "%a", "EE": "%a", "EEE": "%a", "EEEE": "%A",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S",
    "SSS": "%g", "SSSSSS": "%f", "SSSSSSSSS": "%n", "a": "%p",
    "X": "%z", "XX": "%z", "XXX": "%z", "xx": "%z", "xxx": "%z", "Z": "%z", "VV": "%Z", "z": "%Z",
}  # fmt: skip
NAMED: Mapping[str, str] = {
    "date": "yyyy-MM-dd",
    "iso_local_date": "yyyy-MM-dd",
    "basic_iso_date": "yyyyMMdd",
    "iso_local_time": "HH:mm:ss",
    "iso_local_date_time": "yyyy-MM-dd'T'HH:mm:ss",
    "date-time": "yyyy-MM-dd'T'HH:mm:ssXXX",
}


def strptime(format: str) -> str | None:
    """A JDK date format (or one of its named ones) in the engine's notation, or None when it has no counterpart."""
    format = NAMED.get(format.lower(), format)
    out: list[str] = []
    index = 0
    while index < len(format):
        char = format[index]
        if char == "'":
            end = format.find("'", index + 1)
            if end == -1:
                return None
            out.append((format[index + 1 : end] or "'").replace("%", "%%"))
            index = end + 1
        elif char.isascii() and char.isalpha():
            end = index
            while end < len(format) and format[end] == char:
                end += 1
            token = _JDK.get(format[index:end])
            if token is None:
                return None
            out.append(token)
            index = end
        elif char in "[]{}#":
            return None  # optional sections and reserved characters
        else:
            out.append("%%" if char == "%" else char)
            index += 1
    return "".join(out)


def looks_like_date(format: str) -> bool:
    """Whether `format` of a string column is a date format, not one of the words above."""
    known = format in PATTERNS or format in UNTESTABLE
    return not known and strptime(format) is not None and any(c in format for c in "yudHhmsS")
