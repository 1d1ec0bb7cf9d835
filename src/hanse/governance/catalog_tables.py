"""The tables of the catalogue: what publish policies ask, and what `mesh.catalog` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """A table of the catalogue: its columns as (name, SQL type, meaning), in order."""

    name: str
    says: str
    columns: tuple[tuple[str, str, str], ...]


_PRODUCT = ("product", "VARCHAR", "domain/product")
_PLACE = ("place", "VARCHAR", "file:line:column")

CATALOG: Mapping[str, CatalogTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            CatalogTable(
                "products",
                "One row a product.",
                (
                    _PRODUCT,
                    ("domain", "VARCHAR", "its domain"),
                    ("name", "VARCHAR", "its folder's name"),
                    ("title", "VARCHAR", "the name in the descriptor"),
                    ("version", "VARCHAR", "the product's version, a label"),
                    ("status", "VARCHAR", "proposed, draft, active, deprecated or retired"),
                    ("access", "VARCHAR", "open, request or closed"),
                    ("kind", "VARCHAR", "source-aligned, aggregate or consumer-aligned, as written"),
                    ("purpose", "VARCHAR", "description.purpose"),
                    ("usage", "VARCHAR", "description.usage"),
                    ("limitations", "VARCHAR", "description.limitations"),
                    ("owner", "VARCHAR", "the team that owns it"),
                    ("support", "VARCHAR", "the first support channel's address, else the domain's"),
                    ("tags", "VARCHAR[]", "its tags"),
                    ("has_build", "BOOLEAN", "whether it has a build.yaml"),
                    ("has_readme", "BOOLEAN", "whether a README.md lies beside it"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "ports",
                "One row an output port under one major version.",
                (
                    _PRODUCT,
                    ("port", "VARCHAR", "the port's name"),
                    ("major", "INTEGER", "the major of its version"),
                    ("version", "VARCHAR", "the port's version"),
                    ("contract", "VARCHAR", "the contract's id"),
                    ("status", "VARCHAR", "the contract's status"),
                    ("purpose", "VARCHAR", "the contract's description.purpose"),
                    ("limitations", "VARCHAR", "the contract's description.limitations"),
                    ("license", "VARCHAR", "customProperties license, or an authoritative definition of type license"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "tables",
                "One row a table.",
                (
                    _PRODUCT,
                    ("port", "VARCHAR", "its port"),
                    ("major", "INTEGER", "the major it belongs to"),
                    ("table_name", "VARCHAR", "its SQL name"),
                    ("description", "VARCHAR", "its description"),
                    ("primary_key", "VARCHAR[]", "the columns of its primary key, empty when none is stated"),
                    ("columns", "INTEGER", "how many top-level columns it has"),
                    ("rules", "INTEGER", "how many quality rules hang on it and its columns"),
                    ("tags", "VARCHAR[]", "its tags"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "columns",
                "One row a column; nested fields by dotted path.",
                (
                    _PRODUCT,
                    ("port", "VARCHAR", "its port"),
                    ("major", "INTEGER", "the major it belongs to"),
                    ("table_name", "VARCHAR", "its table"),
                    ("column_name", "VARCHAR", "its dotted path"),
                    ("depth", "INTEGER", "1 for a column of the table"),
                    ("type", "VARCHAR", "its SQL type"),
                    ("required", "BOOLEAN", "whether it is never null"),
                    ("is_unique", "BOOLEAN", "whether it is unique"),
                    ("primary_key", "INTEGER", "its position in the primary key"),
                    ("description", "VARCHAR", "its description"),
                    ("classification", "VARCHAR", "its own classification, null when none is written"),
                    ("level", "INTEGER", "the place of the class it counts as, from 0"),
                    ("sensitive", "BOOLEAN", "whether that class is above internal"),
                    ("masked", "BOOLEAN", "whether a rule of masks.yaml covers it"),
                    ("mask_rule", "VARCHAR", "the strictest such rule"),
                    ("tags", "VARCHAR[]", "its tags"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "rules",
                "One row a quality rule.",
                (
                    _PRODUCT,
                    ("major", "INTEGER", "the major it belongs to"),
                    ("table_name", "VARCHAR", "its table"),
                    ("column_name", "VARCHAR", "its column, null for a rule of the table"),
                    ("rule", "VARCHAR", "its name"),
                    ("kind", "VARCHAR", "library, sql, custom or text"),
                    ("metric", "VARCHAR", "what a library rule measures"),
                    ("severity", "VARCHAR", "as written; error when nothing is"),
                    ("dimension", "VARCHAR", "as written"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "owners",
                "One row a member of a product's team, with the roles that domain.yaml gives.",
                (
                    _PRODUCT,
                    ("team", "VARCHAR", "the owner team"),
                    ("member", "VARCHAR", "the person"),
                    ("role", "VARCHAR", "the role"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "service_levels",
                "One row a promise of slaProperties.",
                (
                    _PRODUCT,
                    ("major", "INTEGER", "the major it belongs to"),
                    ("property", "VARCHAR", "as ODCS calls it"),
                    ("value", "VARCHAR", "as written"),
                    ("unit", "VARCHAR", "as written"),
                    ("element", "VARCHAR", "what it is about"),
                    ("seconds", "DOUBLE", "value × unit where it is a duration"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "lineage",
                "One row an input port.",
                (
                    _PRODUCT,
                    ("input", "VARCHAR", "the input port's name"),
                    ("contract", "VARCHAR", "the contract that it reads"),
                    ("version", "VARCHAR", "the version it names"),
                    ("source_product", "VARCHAR", "the product that offers it, null when it is not in this project"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "grants",
                "One row a grant of the domain's home.",
                (
                    _PRODUCT,
                    ("grant_id", "VARCHAR", "its id"),
                    ("grantee", "VARCHAR", "person:…, team:… or product:…"),
                    ("columns", "VARCHAR[]", "the columns it names, null for all"),
                    ("ceiling", "VARCHAR", "how far all columns reaches"),
                    ("purposes", "VARCHAR[]", "what it is for"),
                    ("since", "TIMESTAMPTZ", "from when"),
                    ("until", "TIMESTAMPTZ", "until when"),
                    ("revoked", "BOOLEAN", "whether it was revoked"),
                ),
            ),
            CatalogTable(
                "policies",
                "One row a policy that holds for a domain.",
                (
                    ("domain", "VARCHAR", "for which domain"),
                    ("scope", "VARCHAR", "federation, domain or built-in"),
                    ("kind", "VARCHAR", "access, mask, row or publish"),
                    ("policy", "VARCHAR", "its name"),
                    ("says", "VARCHAR", "what it says of itself"),
                    _PLACE,
                ),
            ),
        )
    }
)  # fmt: skip
