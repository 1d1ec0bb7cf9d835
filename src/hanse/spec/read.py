"""From a document to the value it describes, with everything that is wrong with it told on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hanse.errors import Finding, Kind, Severity, code, rejects
from hanse.names import ProductId, Version, is_name
from hanse.spec.checks import identity
from hanse.spec.checks.columns import check_names
from hanse.spec.checks.locations import check_links, check_servers
from hanse.spec.checks.proposed import check_proposed
from hanse.spec.checks.quality import ARGUMENTS
from hanse.spec.checks.relationships import UNKNOWN_COLUMN, UNKNOWN_TABLE
from hanse.spec.checks.report import Report
from hanse.spec.checks.service_levels import check_service_level, duration_of
from hanse.spec.document import Document
from hanse.spec.model import Access, Contract, InputPort, OutputPort, Product, ServiceLevel
from hanse.spec.read_tables import custom, table
from hanse.spec.salvage import salvage
from hanse.spec.schema.check import schema_findings

PORT = code(
    "product.duplicate-port", Kind.INVALID, "A port is listed twice",
    "A port of a product is known by its name and version; two of the same would be one promise written twice.",
    "Give one of them another version, or remove it.",
)  # fmt: skip
ACCESS = code(
    "product.access", Kind.INVALID, "Not a kind of access",
    "A product is open to everybody, on request, or closed to new readers.",
    "Set customProperties access to open, request or closed.",
)  # fmt: skip


def contract(document: Document, *, project: bool = False) -> tuple[Contract | None, list[Finding]]:
    """The contract and its findings; None when the standard's schema refuses it."""
    findings = schema_findings(document, "DataContract")
    if rejects(findings):
        return None, _with_the_rest(document, "DataContract", findings, project)
    return _contract(Report(document, project, findings), document.tree)


def _contract(report: Report, tree: Mapping[str, Any]) -> tuple[Contract, list[Finding]]:
    document = report.document
    identity.check_id(report, "/id", tree.get("id"))
    identity.check_version(report, "/version", tree.get("version"))
    identity.check_status(report, "/status", tree.get("status"))
    identity.check_variables(report)
    identity.check_title(report, tree.get("name"))
    check_links(report, tree)
    check_proposed(report, tree)
    servers = tree.get("servers") or []
    check_servers(report, servers)
    objects: Sequence[Mapping[str, Any]] = tree.get("schema") or []
    check_names(report, "/schema", objects, "table")
    levels = tree.get("slaProperties") or []
    for i, level in enumerate(levels):
        check_service_level(report, f"/slaProperties/{i}", level)
    team = tree.get("team")
    read = Contract(
        id=tree["id"],
        name=str(tree.get("name") or tree.get("dataProduct") or tree["id"]),
        version=Version.parse(tree["version"]),
        version_text=tree["version"],
        api_version=tree["apiVersion"],
        status=str(tree.get("status") or "draft"),
        description=tree.get("description") or {},
        tables=tuple(table(report, i, objects) for i in range(len(objects))),
        service_levels=tuple(
            ServiceLevel(
                level["property"],
                level.get("value"),
                level.get("unit"),
                level.get("element") or tree.get("slaDefaultElement"),
                duration_of(level["property"], level.get("value"), level.get("unit")),
                document.place(f"/slaProperties/{i}"),
            )
            for i, level in enumerate(levels)
        ),
        servers=tuple(servers),
        team=team.get("name") if isinstance(team, dict) else None,
        tags=tuple(tree.get("tags") or ()),
        custom=custom(tree),
        raw=tree,
        text=document.text,
        place=document.place(""),
    )
    return read, sorted(report.findings)


def product(
    document: Document, id: ProductId | None = None, *, project: bool = False
) -> tuple[Product | None, list[Finding]]:
    """The product and its findings; `id` is given by its folder, else made of what the file says."""
    findings = schema_findings(document, "DataProduct")
    if rejects(findings):
        return None, _with_the_rest(document, "DataProduct", findings, project)
    return _product(Report(document, project, findings), document.tree, id)


def _with_the_rest(document: Document, kind: str, findings: list[Finding], project: bool) -> list[Finding]:
    """`findings` of the schema, and what the rules say of the parts that it does not refuse."""
    salvaged = salvage(document.tree, kind, findings)
    report = Report(document, project)
    if salvaged is None:
        if isinstance(document.tree, dict):
            identity.check_id(report, "/id", document.tree.get("id"))
        return sorted([*findings, *report.findings])
    tree, changed = salvaged
    if kind == "DataContract":
        _contract(report, tree)
    else:
        _product(report, tree, None)
    # a name or a list of columns that was left out would make links to it look wrong
    incomplete = any(pointer.endswith(("/properties", "/schema", "/name")) for pointer in changed)
    rest = [
        f
        for f in report.findings
        if f.severity is Severity.ERROR
        and not any(f.pointer == p or f.pointer.startswith(f"{p}/") for p in changed)
        and not (incomplete and f.code in (UNKNOWN_TABLE, UNKNOWN_COLUMN, ARGUMENTS))
    ]
    return sorted([*findings, *rest])


def _product(report: Report, tree: Mapping[str, Any], id: ProductId | None) -> tuple[Product, list[Finding]]:
    document = report.document
    identity.check_id(report, "/id", tree.get("id"))
    if tree.get("version") is not None:
        identity.check_version(report, "/version", tree["version"], severity=Severity.NOTE)
    identity.check_status(report, "/status", tree.get("status"))
    identity.check_variables(report)
    identity.check_title(report, tree.get("name"))
    check_links(report, tree)
    _check_ports(report, tree)
    properties = custom(tree)
    team = tree.get("team")
    members = team.get("members") if isinstance(team, dict) else team
    domain, name = str(tree.get("domain") or "domain"), str(tree.get("name") or tree["id"])
    read = Product(
        id=id or ProductId(identity.slug(domain), identity.slug(name)),
        document_id=tree["id"],
        title=str(tree.get("name") or (id.name if id else tree["id"])),
        version_text=tree.get("version"),
        api_version=tree["apiVersion"],
        status=str(tree.get("status") or "draft"),
        description=tree.get("description") or {},
        access=_access(report, tree, properties),
        inputs=tuple(
            InputPort(port["name"], port.get("contractId"), _version(port), document.place(f"/inputPorts/{i}"))
            for i, port in enumerate(tree.get("inputPorts") or ())
        ),
        outputs=tuple(
            OutputPort(
                port["name"],
                port.get("contractId"),
                _version(port),
                str(port.get("description") or ""),
                tuple(entry["id"] for entry in port.get("inputContracts") or ()),
                custom(port),
                document.place(f"/outputPorts/{i}"),
            )
            for i, port in enumerate(tree.get("outputPorts") or ())
        ),
        owner=team.get("name") if isinstance(team, dict) else None,
        owner_members=tuple(members or ()),
        support=tuple(tree.get("support") or ()),
        tags=tuple(tree.get("tags") or ()),
        custom=properties,
        raw=tree,
        text=document.text,
        place=document.place(""),
    )
    return read, sorted(report.findings)


def _version(port: Mapping[str, Any]) -> Version | None:
    return Version.parse(port["version"]) if isinstance(port.get("version"), str) else None


def _check_ports(report: Report, tree: Mapping[str, Any]) -> None:
    for kind in ("inputPorts", "outputPorts"):
        seen: dict[tuple[str, str], int] = {}
        for i, port in enumerate(tree.get(kind) or ()):
            pointer = f"/{kind}/{i}"
            address = custom(port).get("address")
            if kind == "outputPorts" and not (isinstance(address, str) and is_name(address)):
                identity.check_name(report, f"{pointer}/name", port["name"], "port")
            identity.check_version(report, f"{pointer}/version", port.get("version"))
            if port.get("contractId") is not None:
                identity.check_id(report, f"{pointer}/contractId", port["contractId"])
            for j, entry in enumerate(port.get("inputContracts") or ()):
                identity.check_id(report, f"{pointer}/inputContracts/{j}/id", entry.get("id"))
            first = seen.setdefault((port["name"].lower(), str(port.get("version"))), i)
            if first != i:
                line = report.document.place(f"/{kind}/{first}").line
                report.add(
                    f"{pointer}/name", PORT, f"port {port['name'][:60]!a} with this version stands on line {line}",
                    mend="give it another version, or remove it",
                )  # fmt: skip


def _access(report: Report, tree: Mapping[str, Any], properties: Mapping[str, Any]) -> Access:
    written = properties.get("access")
    if written is None:
        return Access.REQUEST
    try:
        return Access(written)
    except ValueError:
        entries = tree.get("customProperties") or ()
        at = next((i for i, entry in enumerate(entries) if entry.get("value") is written), 0)
        report.add(
            f"/customProperties/{at}/value", ACCESS,
            f"access {str(written)[:40]!a} is none of {', '.join(Access)}", mend="write request",
            severity=report.binding,
        )  # fmt: skip
        return Access.CLOSED
