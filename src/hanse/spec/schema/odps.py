"""The JSON Schemas of ODPS, written from the facts of the standard; no package ships them."""

from __future__ import annotations

from typing import Any

from hanse.spec.schema.edits import GONE, Difference, differ

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_URI = {"type": "string", "format": "uri"}
_DATE = {"type": "string", "format": "date"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(texts: str, required: str = "", /, **members: dict[str, Any]) -> dict[str, Any]:
    """An object of the named text members and of `members`, and nothing else."""
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**dict.fromkeys(texts.split(), _TEXT), **members},
    }
    if required:
        schema["required"] = required.split()
    return schema


_CUSTOM = _list(_ref("CustomProperty"))
_DEFINED = _list(_ref("AuthoritativeDefinition"))
_USUAL = {"tags": _ref("Tags"), "customProperties": _CUSTOM, "authoritativeDefinitions": _DEFINED}

_V110: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2019-09/schema",
    **_object(
        "id name version status domain type tenant",
        "apiVersion kind id",
        apiVersion={"type": "string", "enum": ["v1.1.0", "v1.0.0", "v0.9.0"]},
        kind={"type": "string", "enum": ["DataProduct"]},
        deprecated=_FLAG,
        synonyms=_ref("Synonyms"),
        context=_ref("Context"),
        **_USUAL,
        description=_ref("Description"),
        inputPorts=_list(_ref("InputPort")),
        outputPorts=_list(_ref("OutputPort")),
        managementPorts=_list(_ref("ManagementPort")),
        support=_list(_ref("Support")),
        team=_ref("Team"),
        productCreatedTs={"type": "string", "format": "date-time"},
    ),
    "$defs": {
        "Tags": _list(_TEXT),
        "Description": _object(
            "purpose limitations usage", authoritativeDefinitions=_DEFINED, customProperties=_CUSTOM
        ),
        "CustomProperty": _object("id property description vendor", "property value", value={}),
        "Synonyms": _list(_ref("Synonym")),
        "Synonym": _object("id synonym description locale source status", "synonym", customProperties=_CUSTOM),
        "AuthoritativeDefinition": _object("id type description", "type url", url=_URI),
        "InputPort": _object("id name version contractId", "name", deprecated=_FLAG, **_USUAL),
        "OutputPort": _object(
            "id name description type version contractId",
            "name",
            deprecated=_FLAG,
            sbom=_list(_ref("SBOM")),
            inputContracts=_list(_ref("InputContract")),
            synonyms=_ref("Synonyms"),
            context=_ref("Context"),
            **_USUAL,
        ),
        "SBOM": _object("id type", url=_URI, **_USUAL),
        "InputContract": _object("id version", "id version"),
        "ManagementPort": _object(
            "id name content type channel description", "name content", deprecated=_FLAG, url=_URI, **_USUAL
        ),
        "Support": _object(
            "id channel description tool scope", "channel url", url=_URI, invitationUrl=_URI, **_USUAL
        ),
        "TeamMember": _object(
            "id username name description role replacedByUsername", "username", dateIn=_DATE, dateOut=_DATE, **_USUAL
        ),
        "Context": _object(
            "instructions",
            verifiedStatements=_list(_object("id question answer", "question", **_USUAL)),
            constraints=_list(_object("id constraint", "constraint", **_USUAL)),
        ),
        "Team": _object("name description", members=_list(_ref("TeamMember")), **_USUAL),
    },
}  # fmt: skip

_TO_100: list[Difference] = [
    ("required", ["apiVersion", "kind", "id", "status"]),
    ("properties/apiVersion/enum", ["v1.0.0", "v0.9.0"]),
    *[(f"properties/{name}", GONE) for name in ("deprecated", "synonyms", "type", "context")],
    *[(f"$defs/CustomProperty/properties/{name}", GONE) for name in ("id", "vendor")],
    *[(f"$defs/{part}/properties/id", GONE) for part in ("AuthoritativeDefinition", "Support", "TeamMember")],
    *[
        (f"$defs/{part}/properties/{name}", GONE)
        for part in ("InputPort", "OutputPort", "ManagementPort")
        for name in ("id", "deprecated")
    ],
    ("$defs/InputPort/required", ["name", "version", "contractId"]),
    ("$defs/OutputPort/properties/synonyms", GONE),
    ("$defs/OutputPort/properties/context", GONE),
    ("$defs/OutputPort/required", ["name", "version"]),
    ("$defs/SBOM", _object("type", "url", url=_URI)),
]

_TO_090: list[Difference] = [
    ("properties/apiVersion/enum", ["v0.9.0"]),
    ("properties/team", _list(_ref("TeamMember"))),
    (
        "$defs/AuthoritativeDefinition/properties/type/enum",
        ["businessDefinition", "transformationImplementation", "videoTutorial", "tutorial", "implementation"],
    ),
    *[(f"$defs/{port}/properties/{name}", GONE) for port in ("InputPort", "OutputPort") for name in _USUAL],
    ("$defs/TeamMember/required", GONE),
]

NEWEST = "v1.1.0"
VERSIONS = (NEWEST, "v1.0.0", "v0.9.0")


def schema(version: str) -> dict[str, Any]:
    """The JSON Schema (draft 2019-09) of `version`, one of `VERSIONS`."""
    if version == NEWEST:
        return _V110
    if version == "v1.0.0":
        return differ(_V110, _TO_100)
    return differ(schema("v1.0.0"), _TO_090)
