"""Names and addresses: their grammar, their order, and the one way to quote them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from hanse.errors import HanseError, Kind, code

NAME_LENGTH = 63
COLUMN_LENGTH = 255
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_VERSIONED = re.compile(r"_v[0-9]+\Z", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}", re.ASCII)
_ADDRESS = re.compile(r"([a-z][a-z0-9_]*)[/.]([a-z][a-z0-9_]*)(?:@([1-9][0-9]*|0))?", re.ASCII)

RESERVED_DOMAINS = frozenset({"mesh", "main", "temp", "system", "memory", "information_schema", "pg_catalog", "public"})
RESERVED_PRODUCTS = frozenset({"main", "information_schema", "pg_catalog"})


class BadAddress(HanseError):
    kind = Kind.INVALID
    code = code(
        "name.bad-address",
        Kind.INVALID,
        "Not the address of a product",
        "A product is addressed as domain/product, pinned to a major as domain/product@1.",
        "Write it like sales/orders or sales/orders@1.",
    )

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:80]!r} is not the address of a product", mend="domain/product, or domain/product@1")


def is_name(text: str) -> bool:
    """Whether `text` may name a domain, product, port or table (design §1, Names)."""
    return (
        len(text) <= NAME_LENGTH
        and _NAME.fullmatch(text) is not None
        and "__" not in text
        and _VERSIONED.search(text) is None
    )


def is_column_name(text: str) -> bool:
    """Whether `text` may name a column: 1 to 255 characters, none of them a control character."""
    return 0 < len(text) <= COLUMN_LENGTH and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def is_id(text: str) -> bool:
    """Whether `text` may be the `id` of a product or contract (design §1, Names)."""
    return _ID.fullmatch(text) is not None and ".." not in text and text[-1] not in "./"


def quote(identifier: str) -> str:
    """`identifier` as a quoted SQL identifier: the one helper that places names in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string literal: the one helper that places text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that look most like `word`, best first."""
    by_lower = {name.lower(): name for name in known}
    return [by_lower[name] for name in difflib.get_close_matches(word.lower(), by_lower, n=most, cutoff=0.6)]


@dataclass(frozen=True, slots=True, order=True)
class ProductId:
    """A product of the mesh: `sales/orders`."""

    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.name}"

    @property
    def sql(self) -> str:
        """The product in SQL text: `sales.orders`."""
        return f"{self.domain}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sales/orders` (or `sales.orders`); raise `BadAddress` for anything else."""
        match = _ADDRESS.fullmatch(text)
        if match is None or match[3] is not None or not (is_name(match[1]) and is_name(match[2])):
            raise BadAddress(text)
        return cls(match[1], match[2])


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A product, unpinned or pinned to a major: `sales/orders`, `sales/orders@1`."""

    product: ProductId
    major: int | None = None

    def __str__(self) -> str:
        return str(self.product) if self.major is None else f"{self.product}@{self.major}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sales/orders` or `sales/orders@1`; raise `BadAddress` for anything else."""
        match = _ADDRESS.fullmatch(text)
        if match is None or not (is_name(match[1]) and is_name(match[2])):
            raise BadAddress(text)
        return cls(ProductId(match[1], match[2]), int(match[3]) if match[3] else None)


@dataclass(frozen=True, slots=True, order=True)
class PortLine:
    """What consumers pin: a product's port under one major of the port's version."""

    product: ProductId
    port: str
    major: int

    def __str__(self) -> str:
        return f"{self.product}:{self.port}@{self.major}"


@dataclass(frozen=True, slots=True, order=True)
class TableId:
    """A table of a product under one major; tables are unique in (product, major)."""

    product: ProductId
    major: int
    table: str

    def __str__(self) -> str:
        return f"{self.product.sql}_v{self.major}.{self.table}"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A SemVer version, ordered by precedence; build metadata is not accepted."""

    major: int
    minor: int
    patch: int
    pre: tuple[tuple[int, int, str], ...] = ((0, 0, ""),)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.is_release:
            return text
        return text + "-" + ".".join(str(number) if kind == 0 else word for kind, number, word in self.pre[1:])

    @property
    def is_release(self) -> bool:
        return self.pre == _RELEASE

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """`text` as a version (a leading `v` is accepted), or None when it is not SemVer."""
        match = _SEMVER.fullmatch(text)
        if match is None:
            return None
        pre: tuple[tuple[int, int, str], ...] = _RELEASE
        if match[4] is not None:
            # a pre-release sorts before its release; numbers before words (SemVer §11)
            words = match[4].split(".")
            pre = ((-1, 0, ""), *((0, int(w), "") if w.isdigit() else (1, 0, w) for w in words))
        return cls(int(match[1]), int(match[2]), int(match[3]), pre)


_RELEASE = ((0, 0, ""),)
_SEMVER = re.compile(
    r"v?(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-((?:0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?",
    re.ASCII,
)
