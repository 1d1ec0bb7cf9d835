"""A file of the Data Contract Specification (1.x) as an ODCS contract: its successor, with the same parts renamed.

https://datacontract-specification.com: `info`, `models` of `fields`, `terms`, `servicelevels`. What ODCS has no
place for, or what would be a guess, is left out and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hanse.names import ProductId, Version

MARK = "dataContractSpecification"
# type → logicalType, physicalType
_TYPES: Mapping[str, tuple[str, str]] = {
    "string": ("string", "VARCHAR"), "text": ("string", "VARCHAR"), "varchar": ("string", "VARCHAR"),
    "number": ("number", "DECIMAL"), "decimal": ("number", "DECIMAL"), "numeric": ("number", "DECIMAL"),
    "int": ("integer", "INTEGER"), "integer": ("integer", "INTEGER"),
    "long": ("integer", "BIGINT"), "bigint": ("integer", "BIGINT"),
    "float": ("number", "FLOAT"), "double": ("number", "DOUBLE"), "boolean": ("boolean", "BOOLEAN"),
    "timestamp": ("timestamp", "TIMESTAMPTZ"), "timestamp_tz": ("timestamp", "TIMESTAMPTZ"),
    "timestamp_ntz": ("timestamp", "TIMESTAMP"), "date": ("date", "DATE"), "time": ("time", "TIME"),
    "bytes": ("string", "BLOB"), "uuid": ("string", "UUID"), "json": ("string", "VARCHAR"),
    "variant": ("string", "VARCHAR"),
}  # fmt: skip
_OBJECTS = ("object", "record", "struct")
# a field's word → where ODCS has it: a word of the property, or one of its logicalTypeOptions
_SAME = ("title", "description", "required", "unique", "primaryKey", "classification", "tags", "examples")
_NAMED = {"title": "businessName"}
_OPTIONS = (
    "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
)  # fmt: skip
_KNOWN = {
    "type", "enum", "fields", "items", "keys", "values", "precision", "scale", "pii", *_SAME, *_OPTIONS,
}  # fmt: skip
_OF_STRINGS = ("minLength", "maxLength", "pattern", "format")


@dataclass(slots=True)
class Converted:
    """The ODCS tree, and the words of the file that did not come over, as pointers."""

    tree: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def converted(tree: Mapping[str, Any], product: ProductId, team: str) -> Converted:
    """`tree` as the contract of `product`; a version that is no SemVer starts at 1.0.0."""
    out = Converted()
    info = _mapping(tree.get("info"))
    version = Version.parse(str(info.get("version", "")))
    out.tree = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{product.domain}.{product.name}.v{version.major if version else 1}",
        "name": str(info.get("title") or product.name),
        "version": str(version or "1.0.0"),
        "status": "active",
        "domain": product.domain,
        "dataProduct": product.name,
    }
    terms = _mapping(tree.get("terms"))
    told = {
        ours: str(text)
        for ours, text in (
            ("purpose", info.get("description")),
            ("usage", terms.get("usage")),
            ("limitations", terms.get("limitations")),
        )
        if text
    }
    if told:
        out.tree["description"] = told
    out.tree["schema"] = [
        _table(str(name), _mapping(model), out) for name, model in _mapping(tree.get("models")).items()
    ]
    out.tree["team"] = {"name": team}
    if isinstance(tree.get("tags"), list):
        out.tree["tags"] = [str(tag) for tag in tree["tags"]]
    known = {MARK, "id", "info", "models", "terms", "tags"}
    out.left[:0] = [f"/{key}" for key in tree if key not in known]
    return out


def _table(name: str, model: Mapping[str, Any], out: Converted) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "logicalType": "object", "physicalType": "table"}
    if model.get("title"):
        told["businessName"] = str(model["title"])
    if model.get("description"):
        told["description"] = str(model["description"])
    place = f"/models/{name}"
    fields = _mapping(model.get("fields"))
    properties = [_property(str(n), _mapping(f), f"{place}/fields/{n}", out) for n, f in fields.items()]
    key = model.get("primaryKey")
    if isinstance(key, list):
        for property_ in properties:
            if property_["name"] in key:
                property_ |= {"primaryKey": True, "primaryKeyPosition": key.index(property_["name"]) + 1}
    else:
        for at, property_ in enumerate([p for p in properties if p.get("primaryKey")], start=1):
            property_["primaryKeyPosition"] = at
    told["properties"] = properties
    out.left += [
        f"{place}/{word}" for word in model if word not in ("title", "description", "fields", "type", "primaryKey")
    ]
    return told


def _property(name: str, given: Mapping[str, Any], place: str, out: Converted) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, **_typed(given, place, out)}
    told |= {_NAMED.get(word, word): given[word] for word in _SAME if given.get(word) not in (None, False)}
    options = {word: given[word] for word in _OPTIONS if given.get(word) is not None}
    if told["logicalType"] != "string":
        options = {word: value for word, value in options.items() if word not in _OF_STRINGS}
    if options:
        told["logicalTypeOptions"] = options
    if isinstance(given.get("enum"), list):
        told["enum"] = [{"value": value} for value in given["enum"]]
    if given.get("pii") and "classification" not in given:
        told["classification"] = "restricted"
    out.left += [f"{place}/{word}" for word in given if word not in _KNOWN]
    return told


def _typed(given: Mapping[str, Any], place: str, out: Converted) -> dict[str, Any]:
    type_ = str(given.get("type") or "").lower()
    if type_ in _OBJECTS:
        fields = _mapping(given.get("fields"))
        parts = [_property(str(n), _mapping(f), f"{place}/fields/{n}", out) for n, f in fields.items()]
        return {"logicalType": "object", "properties": parts}
    if type_ == "array":
        return {"logicalType": "array", "items": _typed(_mapping(given.get("items")), f"{place}/items", out)}
    if type_ == "map":
        parts_of = {
            ours: _typed(_mapping(given.get(theirs)), f"{place}/{theirs}", out)
            for ours, theirs in (("key", "keys"), ("value", "values"))
        }
        return {"logicalType": "map", "map": parts_of}
    if type_ not in _TYPES:
        out.left.append(f"{place}/type")
        return {"logicalType": "string", "physicalType": "VARCHAR"}
    logical, physical = _TYPES[type_]
    if physical == "DECIMAL":
        physical = f"DECIMAL({int(given.get('precision') or 38)},{int(given.get('scale') or 0)})"
    return {"logicalType": logical, "physicalType": physical}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
