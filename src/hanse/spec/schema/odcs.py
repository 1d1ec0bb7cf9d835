"""The JSON Schemas of ODCS: 3.2 from its package, corrected; 3.1 and 3.0 as what they do not have yet."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from hanse.spec.schema.edits import GONE, Difference, differ

_ID = "properties/id"
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_DATE = {"type": "string", "format": "date"}
_FLAG = {"type": "boolean"}
_PROPERTY = "$defs/SchemaBaseProperty"
_OPTIONS = "then/properties/logicalTypeOptions/properties"
_SERVER = "$defs/ServerSource"
_OLD_FORMATS = ["parquet", "delta", "json", "csv"]
_OLD_DELIMITERS = ["new_line", "array"]
_OLDEST = ["v2.2.2", "v2.2.1", "v2.2.0"]

# 3.2.0 asks for `map` (and for a vector's `dimensions`) wherever `logicalType` is absent, because a condition on an
# absent member holds: JSON Schema 2019-09, core, 9.3.2.1. The conditions lack a `required`.
CORRECTIONS: list[Difference] = [
    (f"{_PROPERTY}/allOf/@map/if/required", ["logicalType"]),
    (f"{_PROPERTY}/allOf/@vector/if/required", ["logicalType"]),
]

_TO_310: list[Difference] = [
    ("properties/apiVersion/enum", ["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0", *_OLDEST]),
    ("properties/context", GONE),
    ("required", ["version", "apiVersion", "kind", "id", "status"]),
    ("$defs/ShorthandReference/pattern", r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$"),
    (
        "$defs/FullyQualifiedReference/pattern",
        r"^(?:(?:https?:\/\/)?[A-Za-z0-9._\-\/]+\.yaml#)?\/?[A-Za-z_][A-Za-z0-9_]*\/[A-Za-z0-9_-]+"
        r"(?:\/[A-Za-z_][A-Za-z0-9_]*\/[A-Za-z0-9_-]+)*$",
    ),
    ("$defs/Port", {"type": "integer"}),
    (
        "$defs/Server/properties/type/enum",
        [
            "api",
            "athena",
            "azure",
            "bigquery",
            "clickhouse",
            "databricks",
            "denodo",
            "dremio",
            "duckdb",
            "glue",
            "cloudsql",
            "db2",
            "hive",
            "impala",
            "informix",
            "kafka",
            "kinesis",
            "local",
            "mysql",
            "oracle",
            "postgresql",
            "postgres",
            "presto",
            "pubsub",
            "redshift",
            "s3",
            "sftp",
            "snowflake",
            "sqlserver",
            "synapse",
            "trino",
            "vertica",
            "zen",
            "custom",
        ],
    ),
    (f"{_SERVER}/AthenaServer/properties/workgroup", GONE),
    (f"{_SERVER}/AthenaServer/required", ["stagingDir", "schema"]),
    *[
        (f"{_SERVER}/{kind}Server/properties/encoding", GONE)
        for kind in ("Azure", "Glue", "Custom", "Kafka", "Kinesis", "Local", "S3", "Sftp")
    ],
    ("$defs/SchemaElement/properties/deprecated", GONE),
    ("$defs/SchemaElement/properties/synonyms", GONE),
    ("$defs/SchemaObject/properties/context", GONE),
    (
        f"{_PROPERTY}/properties/logicalType/enum",
        ["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"],
    ),
    (f"{_PROPERTY}/properties/semanticType", GONE),
    (f"{_PROPERTY}/properties/enum", GONE),
    (f"{_PROPERTY}/allOf/@map", GONE),
    (f"{_PROPERTY}/allOf/@vector", GONE),
    ("$defs/ServiceLevelAgreementProperty/properties/customProperties", GONE),
    ("$defs/ServiceLevelAgreementProperty/properties/authoritativeDefinitions", GONE),
    ("$defs/CustomProperty/properties/vendor", GONE),
    ("$defs/RelationshipBase/properties/id", GONE),
]

_TWO_NUMBERS = {"type": "array", "minItems": 2, "maxItems": 2, "uniqueItems": True, "items": _NUMBER}
_OPERATORS = {
    "mustBe": {},
    "mustNotBe": {},
    **dict.fromkeys(("mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo"), _NUMBER),
    **dict.fromkeys(("mustBeBetween", "mustNotBeBetween"), _TWO_NUMBERS),
}

_TO_302: list[Difference] = [
    ("properties/apiVersion/enum", ["v3.0.2", "v3.0.1", "v3.0.0", *_OLDEST]),
    ("properties/team", {"type": "array", "items": {"$ref": "#/$defs/Team"}}),
    ("unevaluatedProperties", GONE),
    ("$defs/Server/unevaluatedProperties", GONE),
    (
        "$defs/Server/properties/type/enum",
        [
            "api",
            "athena",
            "azure",
            "bigquery",
            "clickhouse",
            "databricks",
            "denodo",
            "dremio",
            "duckdb",
            "glue",
            "cloudsql",
            "db2",
            "informix",
            "kafka",
            "kinesis",
            "local",
            "mysql",
            "oracle",
            "postgresql",
            "postgres",
            "presto",
            "pubsub",
            "redshift",
            "s3",
            "sftp",
            "snowflake",
            "sqlserver",
            "synapse",
            "trino",
            "vertica",
            "custom",
        ],
    ),
    (f"{_SERVER}/DuckdbServer/properties/schema", {"type": "integer"}),
    (f"{_SERVER}/CustomServer/properties/stream", GONE),
    *[
        difference
        for kind in ("Azure", "S3", "Sftp")
        for difference in (
            (f"{_SERVER}/{kind}Server/properties/format/enum", _OLD_FORMATS),
            (f"{_SERVER}/{kind}Server/properties/delimiter/enum", _OLD_DELIMITERS),
        )
    ],
    ("$defs/SchemaObject/properties/relationships", GONE),
    (
        f"{_PROPERTY}/properties/logicalType/enum",
        ["string", "date", "number", "integer", "object", "array", "boolean"],
    ),
    (f"{_PROPERTY}/properties/relationships", GONE),
    (f"{_PROPERTY}/allOf/@timestamp", GONE),
    *[
        (f"{_PROPERTY}/allOf/@{kind}/{_OPTIONS}/{bound}", _FLAG)
        for kind in ("date", "integer", "number")
        for bound in ("exclusiveMaximum", "exclusiveMinimum")
    ],
    (f"{_PROPERTY}/unevaluatedProperties", GONE),
    ("$defs/DataQuality/unevaluatedProperties", GONE),
    ("$defs/DataQuality/allOf/@library/if", {"properties": {"type": {"const": "library"}}}),
    (
        "$defs/DataQualityLibrary",
        {"type": "object", "properties": {"rule": _TEXT, **_OPERATORS}, "required": ["rule"]},
    ),
    ("$defs/DataQualitySql/allOf", GONE),
    ("$defs/AuthoritativeDefinitions/items/properties/description", GONE),
    ("$defs/AuthoritativeDefinitions/items/additionalProperties", GONE),
    ("$defs/SupportItem/properties/customProperties", GONE),
    ("$defs/SupportItem/required", ["channel", "url"]),
    ("$defs/SupportItem/additionalProperties", GONE),
    ("$defs/Pricing/additionalProperties", GONE),
    (
        "$defs/Team",
        {
            "type": "object",
            "properties": {
                **dict.fromkeys(("name", "description", "username", "role", "replacedByUsername"), _TEXT),
                **dict.fromkeys(("dateIn", "dateOut"), _DATE),
            },
        },
    ),
    ("$defs/Role/additionalProperties", GONE),
    *[
        (f"$defs/ServiceLevelAgreementProperty/properties/{name}", GONE)
        for name in ("description", "scheduler", "schedule")
    ],
    ("$defs/ServiceLevelAgreementProperty/additionalProperties", GONE),
    ("$defs/CustomProperty/properties/description", GONE),
    ("$defs/CustomProperty/required", GONE),
    ("$defs/CustomProperty/additionalProperties", GONE),
    *[
        (f"$defs/{part}/{_ID}", GONE)
        for part in ("Server", "SchemaElement", "DataQuality", "SupportItem", "Pricing", "Role", "CustomProperty")
    ],
    (f"$defs/AuthoritativeDefinitions/items/{_ID}", GONE),
    (f"$defs/ServiceLevelAgreementProperty/{_ID}", GONE),
]

_TO_301: list[Difference] = [
    ("properties/apiVersion/enum", ["v3.0.1", "v3.0.0", *_OLDEST]),
    (f"{_SERVER}/AthenaServer/required", ["staging_dir", "schema"]),
    (f"{_PROPERTY}/properties/physicalName", GONE),
    ("$defs/Team/properties/name", GONE),
    ("$defs/Team/properties/description", GONE),
]

_TO_300: list[Difference] = [
    ("properties/apiVersion/enum", ["v3.0.0", *_OLDEST]),
    ("properties/description/properties/authoritativeDefinitions", GONE),
    ("properties/description/properties/customProperties", GONE),
    ("properties/authoritativeDefinitions", GONE),
    ("$defs/Role/properties/customProperties", GONE),
]

NEWEST = "v3.2.0"
_OLDER: dict[str, tuple[str, list[Difference]]] = {
    "v3.1.0": (NEWEST, _TO_310),
    "v3.0.2": ("v3.1.0", _TO_302),
    "v3.0.1": ("v3.0.2", _TO_301),
    "v3.0.0": ("v3.0.1", _TO_300),
}
VERSIONS = (NEWEST, *_OLDER)


def published() -> dict[str, Any]:
    """The schema of the newest version, as its package ships it."""
    schema: dict[str, Any] = json.loads(
        files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    )
    return schema


def schema(version: str) -> dict[str, Any]:
    """The JSON Schema (draft 2019-09) of `version`, one of `VERSIONS`."""
    if version == NEWEST:
        return differ(published(), CORRECTIONS)
    newer, differences = _OLDER[version]
    return differ(schema(newer), differences)
