"""Project mode: places and names of files, and every link between them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hanse.errors import Finding, Severity, rejects
from hanse.names import PortLine, ProductId, TableId
from hanse.spec.model import Access
from hanse.spec.project import project, project_root_kind
from tests.spec.mesh_texts import BASKETS, MESH, ORDERS, changed, codes, column, contract, errors, product, read, texts

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
BASKETS_ODPS = "growth/baskets/baskets.odps.yaml"
ORDERS_ODPS = "sales/orders/orders.odps.yaml"
ORDERS_ODCS = "sales/orders/orders.v1.odcs.yaml"
BASKETS_ODCS = "growth/baskets/baskets.v1.odcs.yaml"


def example() -> dict[str, str]:
    kept = (".yaml", ".sql", ".py", ".cedar", ".md")
    return {p.relative_to(EXAMPLE).as_posix(): p.read_text() for p in EXAMPLE.rglob("*") if p.suffix in kept}


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def with_port(name: str, contract_id: str, version: str = "1.0.0") -> dict[str, Any]:
    return changed(ORDERS_ODPS, "/outputPorts/-", {"name": name, "version": version, "contractId": contract_id})


def test_the_example_mesh_has_no_error() -> None:
    whole, findings = project(example())
    assert [f for f in findings if f.severity is Severity.ERROR] == []
    assert len(whole.products) == 9
    assert set(whole.domains) == {"operations", "fleet", "weather", "network", "experience"}
    assert whole.mesh is not None
    assert whole.mesh.classifications == ("public", "internal", "restricted")
    assert whole.people["analyst_aa"].attributes == {"carrier": "AA"}
    assert set(whole.domains["operations"].policies) == {"access/registrations.cedar", "rows/own_carrier.sql"}
    assert "masks.yaml" in whole.policies
    flights = whole.products[ProductId("operations", "flights")]
    assert flights.product.access is Access.REQUEST
    assert TableId(ProductId("operations", "flights"), 1, "flights") in flights.tables


def test_a_domain_s_own_repository_is_a_project() -> None:
    own = {path.removeprefix("operations/"): text for path, text in example().items() if path.startswith("operations/")}
    assert project_root_kind(own) == "domain"
    whole, findings = project(own)
    assert not rejects(findings)
    assert set(whole.products) == {ProductId("operations", "flights"), ProductId("operations", "carriers")}
    assert whole.products[ProductId("operations", "flights")].product.place.file == "flights/flights.odps.yaml"
    # what lies in other domains is a note for plan
    assert {f.code for f in findings if f.severity is Severity.NOTE} == {"relationship.outside"}


@pytest.mark.parametrize(
    "part",
    [
        [],
        ["people.yaml"],
        ["mesh.yaml"],
        ["growth/domain.yaml"],
        ["mesh.yaml", "sales/domain.yaml", "policies/masks.yaml"],
        [ORDERS_ODCS],
        ["sales/orders/orders.sql"],
    ],
)
def test_a_part_of_a_project_is_read_as_far_as_it_goes(part: list[str]) -> None:
    files = {path: text for path, text in texts(**{"policies/masks.yaml": "[]"}).items() if path in part}
    whole, _ = project(files)
    assert (whole.mesh is not None) == ("mesh.yaml" in part)
    assert ("sales" in whole.domains) == ("sales/domain.yaml" in part)
    assert ("ada" in whole.people) == ("people.yaml" in part)


def test_the_small_mesh_has_no_finding() -> None:
    whole, findings = read()
    assert findings == []
    lines = {line for files in whole.products.values() for line in files.contracts}
    assert lines == {
        PortLine(ProductId("sales", "orders"), "orders", 1),
        PortLine(ProductId("growth", "baskets"), "baskets", 1),
    }


# -- names and places


def test_a_misnamed_document_is_found_by_its_likeness() -> None:
    wrong = {ORDERS_ODPS: None, "sales/orders/order.odps.yaml": MESH[ORDERS_ODPS]}
    finding = only(errors(**wrong))
    assert (finding.code, finding.file) == ("project.missing-file", "sales/orders/order.odps.yaml")
    assert finding.mend == "rename sales/orders/order.odps.yaml to orders.odps.yaml"


def test_a_misnamed_contract_is_told_with_the_name_it_should_have() -> None:
    finding = only(errors(**{ORDERS_ODCS: None, "sales/orders/orders.odcs.yaml": ORDERS}))
    assert finding.code == "project.file-name"
    assert finding.mend == "rename it to orders.v1.odcs.yaml"


def test_a_missing_contract_is_told_at_its_port() -> None:
    found = errors(**{ORDERS_ODCS: None})
    assert ("project.missing-file", f"{ORDERS_ODPS}", "/outputPorts/0/contractId") in [
        (f.code, f.file, f.pointer) for f in found
    ]
    # and nothing that only follows from it
    assert {f.code for f in found} == {"project.missing-file"}


def test_missing_files_of_domain_and_mesh_are_told() -> None:
    assert [f.file for f in errors(**{"mesh.yaml": None})] == ["mesh.yaml"]
    finding = only(errors(**{"growth/domain.yaml": None, "growth/domains.yaml": MESH["growth/domain.yaml"]}))
    assert finding.mend == "rename growth/domains.yaml to domain.yaml"


def test_a_descriptor_that_lies_elsewhere_is_told() -> None:
    assert codes(**{"sales/orders/old/orders.v0.odcs.yaml": ORDERS}) == ["project.file-name"]
    assert codes(**{"orders.odcs.yaml": ORDERS}) == ["project.file-name"]


@pytest.mark.parametrize("domain", ["main", "mesh", "information_schema", "public", "trade"])
def test_reserved_domains_and_the_mesh_s_own_name_are_refused(domain: str) -> None:
    moved = {path.replace("growth/", f"{domain}/"): MESH[path] for path in MESH if path.startswith("growth/")}
    gone = {path: None for path in MESH if path.startswith("growth/")}
    moved[f"{domain}/baskets/baskets.odps.yaml"] = {**MESH[BASKETS_ODPS], "domain": domain}
    assert codes(**gone, **moved) == ["name.reserved"]


def test_a_reserved_product_is_refused() -> None:
    files = {
        "growth/main/main.odps.yaml": product("growth", "main"),
        "growth/main/main.v1.odcs.yaml": contract("growth.main.v1", "main", [column("a")]),
        "growth/main/build.yaml": {"sources": {"feed": {}}, "tables": {"main": {"sql": "main.sql"}}},
        "growth/main/main.sql": "SELECT a FROM feed",
    }
    assert codes(**files) == ["name.reserved"]


def test_folders_follow_the_grammar_of_names() -> None:
    files = {path.replace("growth/", "Growth-1/"): MESH[path] for path in MESH if path.startswith("growth/")}
    gone = {path: None for path in MESH if path.startswith("growth/")}
    files["Growth-1/baskets/baskets.odps.yaml"] = {**MESH[BASKETS_ODPS], "domain": "Growth-1"}
    assert "name.syntax" in codes(**gone, **files)


def test_a_product_belongs_to_the_domain_of_its_folder() -> None:
    finding = only(errors(**changed(ORDERS_ODPS, "/domain", "growth")))
    assert (finding.code, finding.pointer) == ("product.other-domain", "/domain")


# -- ports and contracts


def test_port_and_contract_have_one_version() -> None:
    finding = only(errors(**changed(ORDERS_ODCS, "/version", "1.1.0")))
    assert (finding.code, finding.pointer) == ("port.other-version", "/outputPorts/0/version")
    assert "1.1.0" in finding.mend


def test_port_and_contract_name_each_other() -> None:
    found = codes(**changed(ORDERS_ODPS, "/outputPorts/0/contractId", "sales.order.v1"))
    assert found == ["port.other-contract"]


def test_an_output_port_needs_a_contract() -> None:
    assert codes(**changed(ORDERS_ODPS, "/outputPorts/0/contractId", None)) == ["port.no-contract"]


def test_one_version_of_a_port_line_is_served() -> None:
    files = changed(
        ORDERS_ODPS, "/outputPorts/-", {"name": "orders", "version": "1.1.0", "contractId": "sales.orders.v1b"}
    )
    files["sales/orders/orders.v1.1.odcs.yaml"] = {**ORDERS, "id": "sales.orders.v1b", "version": "1.1.0"}
    finding = only(errors(**files))
    assert (finding.code, finding.pointer) == ("port.served-twice", "/outputPorts/1/version")


def test_two_majors_stand_side_by_side() -> None:
    files = changed(
        ORDERS_ODPS, "/outputPorts/-", {"name": "orders", "version": "2.0.0", "contractId": "sales.orders.v2"}
    )
    files |= {
        "sales/orders/orders.v2.odcs.yaml": {**ORDERS, "id": "sales.orders.v2", "version": "2.0.0"},
        "sales/orders/build.yaml": {
            "sources": {"feed": {}},
            "tables": {"orders@1": {"sql": "orders.sql"}, "orders@2": {"sql": "orders.sql"}},
        },
    }
    whole, findings = read(**files)
    assert findings == []
    orders = whole.products[ProductId("sales", "orders")]
    assert {id.major for id in orders.tables} == {1, 2}
    assert orders.build is not None
    assert [t.major for t in orders.build.transforms] == [1, 2]


def test_a_contract_that_several_ports_name_is_one_set_of_tables_and_a_note() -> None:
    files = changed(
        ORDERS_ODPS, "/outputPorts/-", {"name": "kafka", "version": "1.0.0", "contractId": "sales.orders.v1"}
    )
    whole, findings = read(**files)
    assert [(f.code, f.severity) for f in findings] == [("port.shared-contract", Severity.NOTE)]
    assert len(whole.products[ProductId("sales", "orders")].contracts) == 1


def test_a_contract_that_no_port_names_is_a_warning() -> None:
    _, findings = read(**{"sales/orders/extra.v1.odcs.yaml": {**ORDERS, "id": "sales.extra.v1"}})
    assert [(f.code, f.severity) for f in findings] == [("project.unused-contract", Severity.WARNING)]


def test_a_table_stands_once_in_a_major() -> None:
    files = changed(
        ORDERS_ODPS, "/outputPorts/-", {"name": "extra", "version": "1.0.0", "contractId": "sales.extra.v1"}
    )
    files["sales/orders/extra.v1.odcs.yaml"] = {**ORDERS, "id": "sales.extra.v1"}
    assert "contract.table-twice" in codes(**files)


def test_ids_are_unique_in_the_mesh() -> None:
    files = changed(BASKETS_ODPS, "/id", "sales.orders")
    finding = only(errors(**files))
    assert (finding.code, finding.pointer, finding.file) == ("id.twice", "/id", ORDERS_ODPS)
    assert BASKETS_ODPS in finding.message


def test_a_port_s_address_names_its_file() -> None:
    port = {
        "name": "Orders (all)", "version": "1.0.0", "contractId": "sales.orders.v1",
        "customProperties": [{"property": "address", "value": "orders"}],
    }  # fmt: skip
    assert codes(**changed(ORDERS_ODPS, "/outputPorts/0", port)) == []


# -- inputs


def test_an_input_outside_the_project_is_a_note_with_the_nearest_name() -> None:
    _, findings = read(**changed(BASKETS_ODPS, "/inputPorts/0/contractId", "sales.order.v1"))
    note = next(f for f in findings if f.code == "ref.unknown-contract")
    assert (note.severity, note.pointer) == (Severity.NOTE, "/inputPorts/0/contractId")
    assert "sales.orders.v1" in note.mend


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/inputPorts/0/version", "2.0.0", "input.other-major"),
        ("/inputPorts/0/contractId", None, "input.no-contract"),
    ],
)
def test_an_input_names_a_contract_and_its_major(pointer: str, value: Any, code: str) -> None:
    assert code in codes(**changed(BASKETS_ODPS, pointer, value))


def test_an_input_ahead_of_its_contract_is_a_warning() -> None:
    _, findings = read(**changed(BASKETS_ODPS, "/inputPorts/0/version", "1.4.0"))
    assert [(f.code, f.severity) for f in findings] == [("input.version-ahead", Severity.WARNING)]


def test_what_is_read_is_declared() -> None:
    finding = only(errors(**changed(BASKETS_ODPS, "/inputPorts", [])))
    assert finding.code == "build.undeclared-input"
    assert "contractId: sales.orders.v1" in finding.mend


def test_what_is_declared_is_read() -> None:
    build = {"sources": {"feed": {}}, "tables": {"baskets": {"sql": "baskets.sql"}}}
    sql = "SELECT item, 1 AS orders FROM feed"
    finding = only(errors(**{"growth/baskets/build.yaml": build, "growth/baskets/baskets.sql": sql}))
    assert (finding.code, finding.pointer) == ("build.unused-input", "/inputPorts/0")


def test_inputs_of_python_are_what_they_are_given() -> None:
    build = {
        "tables": {
            "baskets": {
                "python": "baskets.py",
                "inputs": {"orders": {"from": "sales.orders_v1.orders", "columns": ["itme"]}},
            }
        }
    }
    files = {"growth/baskets/build.yaml": build, "growth/baskets/baskets.py": "def baskets(orders): return orders"}
    finding = only(errors(**files))
    assert (finding.code, finding.mend) == ("build.unknown-input", "write item")
    build["tables"]["baskets"]["inputs"]["orders"]["columns"] = ["item"]  # type: ignore[index]
    assert codes(**files) == []


@pytest.mark.parametrize(
    ("sql", "code", "mend"),
    [
        ("SELECT item, 1 AS orders FROM sales.orders.orders", "build.unpinned-input", "sales.orders_v1.orders"),
        ("SELECT item, 1 AS orders FROM sales.orders_v1.lines", "build.unknown-input", "orders"),
        ("SELECT item, 1 AS orders FROM sales.orders_v1.orders, fed", "build.unknown-input", "sources"),
        (
            "SELECT item, 1 AS orders FROM sales.orders_v1.orders, sales.ordres_v1.x",
            "build.undeclared-input",
            "sales.orders_v1",
        ),
    ],
)
def test_an_address_that_is_wrong_is_told_with_the_right_one(sql: str, code: str, mend: str) -> None:
    finding = only(errors(**{"growth/baskets/baskets.sql": sql}))
    assert finding.code == code
    assert mend in finding.mend


def test_a_common_table_expression_is_no_input() -> None:
    sql = "WITH feed AS (SELECT * FROM sales.orders_v1.orders) SELECT item, count(*) AS orders FROM feed GROUP BY item"
    assert codes(**{"growth/baskets/baskets.sql": sql}) == []


def test_sql_that_cannot_be_taken_apart_is_a_warning_and_accuses_no_port() -> None:
    _, findings = read(**{"growth/baskets/baskets.sql": "SELECT FROM WHERE )("})
    assert [(f.code, f.severity) for f in findings] == [("build.unreadable-sql", Severity.WARNING)]


@pytest.mark.parametrize(
    ("sql", "line", "said"),
    [
        ("", 1, "holds 0 statements"),
        ("SELECT 1; SELECT 2", 1, "holds 2 statements"),
        ("DROP TABLE orders", 1, "kind DROP"),
    ],
)
def test_sql_that_is_surely_no_select_is_an_error_at_its_own_file(sql: str, line: int, said: str) -> None:
    finding = only(errors(**{"growth/baskets/baskets.sql": sql}))
    assert (finding.code, finding.file, finding.line) == ("build.unreadable-sql", "growth/baskets/baskets.sql", line)
    assert said in finding.message


# -- cycles


def cyclic() -> dict[str, Any]:
    back = [{"name": "baskets", "version": "1.0.0", "contractId": "growth.baskets.v1"}]
    return {
        ORDERS_ODPS: product("sales", "orders", back),
        "sales/orders/build.yaml": {"tables": {"orders": {"sql": "orders.sql"}}},
        "sales/orders/orders.sql": "SELECT item AS id, item, item AS buyer FROM growth.baskets_v1.baskets",
    }


def test_products_that_read_each_other_are_a_cycle() -> None:
    finding = only(errors(**cyclic()))
    assert finding.code == "ref.cycle"
    assert "cycle" in finding.message
    assert "sales/orders" in finding.message
    assert "growth/baskets" in finding.message


def test_a_cycle_is_told_where_nothing_is_built_yet() -> None:
    files = {path: tree for path, tree in cyclic().items() if path == ORDERS_ODPS}
    gone = {path: None for path in MESH if path.endswith((".sql", "build.yaml"))}
    assert "ref.cycle" in codes(**files, **gone)


def test_ports_that_say_of_which_inputs_they_are_made_are_no_cycle_by_the_others() -> None:
    files = cyclic()
    files[ORDERS_ODPS]["outputPorts"][0]["inputContracts"] = [{"id": "elsewhere.x.v1", "version": "1.0.0"}]
    files[ORDERS_ODPS]["inputPorts"].append({"name": "x", "version": "1.0.0", "contractId": "elsewhere.x.v1"})
    assert "ref.cycle" not in codes(**files)


# -- foreign keys


def keyed(to: Any, **more: Any) -> dict[str, Any]:
    return {BASKETS_ODCS: {**BASKETS, "schema": [{**BASKETS["schema"][0], "relationships": [{"to": to, **more}]}]}}


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("sales.orders_v1.orders.id", None),
        ("../../sales/orders/orders.v1.odcs.yaml#/schema/orders/properties/id", None),
        ("sales.orders_v1.order.id", "relationship.unknown-table"),
        ("sales.orders_v2.orders.id", "relationship.unknown-table"),
        ("sales.orders_v1.orders.idd", "relationship.unknown-column"),
    ],
)
def test_a_foreign_key_ends_at_a_column_that_exists(to: str, code: str | None) -> None:
    columns = [column("item", relationships=[{"to": to}]), BASKETS["schema"][0]["properties"][1]]
    found = codes(**{BASKETS_ODCS: contract("growth.baskets.v1", "baskets", columns)})
    assert found == ([code] if code else [])


def test_both_sides_of_a_foreign_key_have_one_length() -> None:
    files = keyed(["sales.orders_v1.orders.id", "sales.orders_v1.orders.item"], **{"from": ["baskets.item"]})
    assert codes(**files) == ["relationship.key-length"]


def test_a_foreign_key_that_leaves_the_project_is_a_note() -> None:
    columns = [column("item", relationships=[{"to": "stock.items_v1.items.id"}]), BASKETS["schema"][0]["properties"][1]]
    _, findings = read(**{BASKETS_ODCS: contract("growth.baskets.v1", "baskets", columns)})
    assert [(f.code, f.severity) for f in findings] == [("relationship.outside", Severity.NOTE)]


# -- words of the mesh


def test_classifications_are_those_of_the_mesh() -> None:
    finding = only(errors(**changed(ORDERS_ODCS, "/schema/0/properties/2/classification", "restriced")))
    assert (finding.code, finding.pointer) == ("classification.unknown", "/schema/0/properties/2/classification")
    assert finding.mend == "write restricted"


def test_a_domain_that_people_yaml_does_not_know_is_a_warning() -> None:
    _, findings = read(**changed("sales/domain.yaml", "/members", {"bob": "owner"}))
    assert [(f.code, f.severity, f.pointer) for f in findings] == [("mesh.bad-value", Severity.WARNING, "/members/bob")]


def test_variables_are_put_in_or_told() -> None:
    files = texts(**changed(ORDERS_ODCS, "/description", {"purpose": "Orders of ${COMPANY} in ${YEAR:-2013}"}))
    _, findings = project(files)
    assert {(f.code, f.severity) for f in findings} == {("variable.unresolved", Severity.NOTE)}
    whole, findings = project(files, {"COMPANY": "Hanse"})
    assert findings == []
    orders = next(iter(whole.products[ProductId("sales", "orders")].contracts.values()))
    assert orders.description["purpose"] == "Orders of Hanse in 2013"
    assert "${COMPANY}" in orders.text


def test_all_findings_are_told_at_once_and_sorted() -> None:
    _, findings = read(
        **changed(ORDERS_ODPS, "/domain", "growth"),
        **changed(BASKETS_ODPS, "/inputPorts/0/version", "3.0.0"),
        **changed("sales/domain.yaml", "/taem", "x"),
    )
    assert {"product.other-domain", "input.other-major", "mesh.unknown-key"} <= {f.code for f in findings}
    assert findings == sorted(findings)


@pytest.mark.parametrize("path", [path for path in MESH if path.endswith(".yaml")])
@pytest.mark.parametrize("text", ["", "[]", "a: [", "kind: DataContract", "null", "- 1", "{a: {b: {c: d}}}", "x" * 100])
def test_any_file_may_be_broken_and_the_rest_is_read(path: str, text: str) -> None:
    files = texts()
    files[path] = text
    whole, _ = project(files)
    others = {id for id in (ProductId("sales", "orders"), ProductId("growth", "baskets")) if f"{id}/" not in path}
    assert others <= set(whole.products)


def test_a_large_mesh_is_read_in_time() -> None:
    files = {"mesh.yaml": json.dumps(MESH["mesh.yaml"])}
    for i in range(150):
        name = f"p{i}"
        inputs = [{"name": "before", "version": "1.0.0", "contractId": f"big.p{i - 1}.v1"}] if i else []
        reads = f"big.p{i - 1}_v1.p{i - 1}" if i else "feed"
        files |= {
            f"big/{name}/{name}.odps.yaml": json.dumps(product("big", name, inputs)),
            f"big/{name}/{name}.v1.odcs.yaml": json.dumps(contract(f"big.{name}.v1", name, [column("a"), column("b")])),
            f"big/{name}/build.yaml": json.dumps({"sources": {"feed": {}}, "tables": {name: {"sql": f"{name}.sql"}}}),
            f"big/{name}/{name}.sql": f"SELECT a, b FROM {reads}",
        }
    files["big/domain.yaml"] = "team: t"
    before = time.process_time()
    whole, findings = project(files)
    assert time.process_time() - before < 5
    assert len(whole.products) == 150
    assert not rejects(findings)


def test_many_wrong_links_are_told_in_time_and_counted() -> None:
    links = [column(f"c{i}", relationships=[{"to": f"growth.baskets_v1.baskets.no{i}"}]) for i in range(1500)]
    columns = [*ORDERS["schema"][0]["properties"], *links]
    before = time.process_time()
    _, findings = read(**{ORDERS_ODCS: contract("sales.orders.v1", "orders", columns)})
    assert time.process_time() - before < 3
    told = [f for f in findings if f.file == ORDERS_ODCS]
    assert len(told) == 101
    assert sum(f.code == "validate.more" for f in told) == 1


@pytest.mark.parametrize(
    ("accepted", "told"), [("sales.orders_v1.orders", None), ("sales.orders_v1.ordrs", "write sales.orders_v1.orders")]
)
def test_a_build_accepts_what_it_reads(accepted: str, told: str | None) -> None:
    build = {"accept_governed": [accepted], "tables": {"baskets": {"sql": "baskets.sql"}}}
    found = errors(**{"growth/baskets/build.yaml": build})
    assert [(f.code, f.pointer, f.mend) for f in found] == (
        [("build.unknown-input", "/accept_governed/0", told)] if told else []
    )


def test_fifty_products_with_wide_inputs_are_checked_within_a_second() -> None:
    columns = [column(f"c{i}") for i in range(60)]
    files: dict[str, Any] = {"wide/domain.yaml": {"team": "growers"}}
    for n in range(50):
        inputs = [{"name": f"i{m}", "version": "1.0.0", "contractId": f"wide.p{m}.v1"} for m in range(max(0, n - 4), n)]
        read_from = [f"wide.p{m}_v1.p{m}" for m in range(max(0, n - 4), n)] or ["feed"]
        files |= {
            f"wide/p{n}/p{n}.odps.yaml": product("wide", f"p{n}", inputs),
            f"wide/p{n}/p{n}.v1.odcs.yaml": contract(f"wide.p{n}.v1", f"p{n}", columns),
            f"wide/p{n}/build.yaml": {"sources": {"feed": {}}, "tables": {f"p{n}": {"sql": "p.sql"}}},
            f"wide/p{n}/p.sql": " UNION ALL ".join(f"SELECT * FROM {address}" for address in read_from),
        }
    errors()
    began = time.process_time()
    assert errors(**files) == []
    assert time.process_time() - began < 1
