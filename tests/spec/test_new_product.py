"""The files of a new product: valid as written, and empty of what stood in the rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.errors import Severity
from hanse.names import ProductId
from hanse.spec.document import load
from hanse.spec.from_datacontract import converted
from hanse.spec.new_product import GivenContract, NewColumn, NewProduct, NewTable, shown_name, texts
from hanse.spec.plain import dump
from hanse.spec.project import project
from hanse.spec.read import contract
from hanse.spec.scaffold import first_files
from hanse.spec.sensitive import reason
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

ORDERS = ProductId("sales", "orders")
SOURCE = {"kind": "files", "path": "../../data/orders.csv"}
scalars = st.sampled_from(
    [Scalar(n) for n in ("boolean", "int32", "int64", "float64", "string", "uuid", "date", "time", "timestamptz")]
    + [Scalar("decimal", 18, 2)]
)
types: st.SearchStrategy[Type] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        inner.map(ListOf),
        inner.map(lambda value: MapOf(Scalar("string"), value)),
        inner.map(lambda one: Struct((Field("part", one), Field("other", Scalar("int64"), required=True)))),
    ),
    max_leaves=4,
)
names = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=40).filter(
    lambda name: name.strip() == name and not name.startswith("$")
)


def made(*columns: NewColumn, key: tuple[str, ...] = ()) -> dict[str, str]:
    table = NewTable("orders", columns, SOURCE, key)
    new = NewProduct(ORDERS, "sales", "Orders", "Every order.", "", "source-aligned", "request", [table])
    return texts(new, "sales/orders")


def checked(files: dict[str, str]) -> list[tuple[str, str]]:
    _, findings = project({**first_files("sales", "ada", "ada"), **files})
    return [(one.code, one.message) for one in findings if one.severity is not Severity.NOTE]


@given(st.lists(st.tuples(names, types, st.booleans()), min_size=1, max_size=8, unique_by=lambda c: c[0].lower()))
def test_whatever_the_columns_are_the_files_are_valid(columns: list[tuple[str, Type, bool]]) -> None:
    files = made(*(NewColumn(name, type_, required) for name, type_, required in columns))
    assert [code for code, _ in checked(files)] == ["classification.proposed"], files
    document, _ = load(files["sales/orders/orders.v1.odcs.yaml"], "c")
    assert document is not None
    read, _ = contract(document, project=True)
    assert read is not None
    assert [(c.name, c.type, c.required) for c in read.tables[0].columns] == columns


@pytest.mark.parametrize(
    ("name", "shapes", "why"),
    [
        ("email", {}, "e-mail"), ("Customer E-Mail", {}, "e-mail"), ("contact", {"email": 0.9}, "e-mail addresses"),
        ("birthDate", {}, "person is"), ("last_name", {}, "persons"), ("ZIP", {}, "where somebody"),
        ("iban", {}, "money"), ("password_hash", {}, "secret"), ("ip_address", {}, "device"), ("ssn", {}, "official"),
        ("diagnosis", {}, "health"), ("note", {"phone": 0.6}, "telephone numbers"),
    ],
)  # fmt: skip
def test_what_may_tell_of_a_person_is_proposed_the_strict_class(name: str, shapes: dict[str, float], why: str) -> None:
    said = reason(name, shapes)
    assert said is not None
    assert why in said


@pytest.mark.parametrize("name", ["order_id", "status", "amount", "average", "message", "stage", "pinned", "carrier"])
def test_plain_columns_are_not(name: str) -> None:
    assert reason(name, {"email": 0.1}) is None


def test_words_of_a_strict_column_stay_out_of_the_contract() -> None:
    files = made(
        NewColumn("status", Scalar("string"), words=("new", "paid")),
        NewColumn("gender", Scalar("string"), words=("f-canary", "m-canary")),
    )
    whole = "".join(files.values())
    assert "value: paid" in whole
    assert "canary" not in whole


def test_a_text_that_yaml_would_take_for_something_else_stays_a_text() -> None:
    words = ("yes", "no", "null", "1", "1.0", "2026-01-01", "~", "a: b", "#x", "- x", "0x1F", "1e3", ".5", "")
    document, findings = load(dump({"words": list(words)}), "x")
    assert findings == []
    assert document is not None
    assert document.tree == {"words": list(words)}


def test_words_that_sql_keeps_for_itself_are_quoted() -> None:
    import duckdb

    kept = duckdb.sql("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'").fetchall()
    for (word,) in [*kept, ("order id",), ("Ärger",), ('a"b',)]:
        assert shown_name(word).startswith('"'), word
    assert shown_name("order_id") == "order_id"


def test_a_given_contract_is_taken_over_to_the_byte() -> None:
    text = "# ours\n" + made(NewColumn("id", Scalar("int64"), required=True))["sales/orders/orders.v1.odcs.yaml"]
    text = text.replace("version: 1.0.0", "version: 2.3.0").partition("customProperties")[0]
    table = NewTable("orders", [NewColumn("id", Scalar("int64"), cast="BIGINT")], SOURCE)
    new = NewProduct(ORDERS, "sales", "Orders", "Every order.", "", "source-aligned", "request", [table])
    files = texts(new, "sales/orders", GivenContract("sales.orders.v1", "2.3.0", text))
    assert files["sales/orders/orders.v2.odcs.yaml"] == text
    assert files["sales/orders/orders.sql"] == "SELECT\n  CAST(id AS BIGINT) AS id\nFROM raw\n"
    assert checked(files) == []


SPECIFICATION = """
dataContractSpecification: 1.1.0
id: urn:orders
info: {title: Orders latest, version: 2.0.1, description: All orders., owner: checkout}
servers: {production: {type: s3, location: "s3://bucket/orders/*.json"}}
terms: {usage: Any., limitations: None.}
tags: [checkout]
models:
  orders:
    type: table
    description: One record per order.
    fields:
      order_id: {type: uuid, required: true, primaryKey: true}
      placed: {type: timestamp_ntz, required: true, description: When., examples: ["2026-01-01T00:00:00"]}
      total: {type: decimal, precision: 10, scale: 2, minimum: 0}
      customer_email: {type: text, pii: true, format: email, minLength: 3}
      status: {type: string, enum: [new, paid], classification: internal}
      lines: {type: array, items: {type: struct, fields: {sku: {type: string}, count: {type: long}}}}
      attributes: {type: map, keys: {type: string}, values: {type: double}}
    quality: [{type: custom, engine: soda}]
definitions: {}
"""


def test_a_data_contract_specification_becomes_a_contract() -> None:
    document, findings = load(SPECIFICATION, "datacontract.yaml")
    assert document is not None, findings
    out = converted(document.tree, ORDERS, "sales")
    whole, _ = load(dump(out.tree), "orders.odcs.yaml")
    assert whole is not None
    read, found = contract(whole, project=True)
    assert [one for one in found if one.severity is Severity.ERROR] == []
    assert read is not None
    assert (read.id, read.version_text, read.description["limitations"]) == ("sales.orders.v2", "2.0.1", "None.")
    told = {column.name: (column.type, column.required) for column in read.tables[0].columns}
    assert told["placed"] == (Scalar("timestamp"), True)
    assert told["total"] == (Scalar("decimal", 10, 2), False)
    assert told["lines"][0] == ListOf(Struct((Field("sku", Scalar("string")), Field("count", Scalar("int64")))))
    assert told["attributes"][0] == MapOf(Scalar("string"), Scalar("float64"))
    classes = {p["name"]: p.get("classification") for p in out.tree["schema"][0]["properties"]}
    assert (classes["customer_email"], classes["status"]) == ("restricted", "internal")
    assert out.left == ["/servers", "/definitions", "/models/orders/quality"]


def test_no_word_of_sql_is_taken_for_more_than_a_name() -> None:
    import duckdb
    import sqlglot

    words = [word for (word,) in duckdb.sql("SELECT keyword_name FROM duckdb_keywords()").fetchall()]
    assert len(words) > 400
    for word in words:
        name = shown_name(word)
        sql = f'SELECT {name}, CAST({name} AS VARCHAR) AS {name} FROM (SELECT 1 AS "{word}")'
        assert duckdb.sql(sql).fetchall() == [(1, "1")], word
        assert [one.alias_or_name for one in sqlglot.parse_one(sql, dialect="duckdb").expressions] == [word] * 2
