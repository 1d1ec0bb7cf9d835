"""Types from their spellings."""

from __future__ import annotations

from typing import Any

import pytest

from hanse.spec.physical import column_type
from hanse.spec.types import ListOf, MapOf, Scalar


def sql(logical: str | None, physical: str | None, **options: Any) -> str:
    read, reason = column_type(logical, physical, options, ())
    return read.sql if read is not None else reason


@pytest.mark.parametrize(
    ("logical", "physical", "expected"),
    [
        ("string", "VARCHAR(20)", "VARCHAR"), (None, "character varying(20)", "VARCHAR"),
        (None, "nvarchar(max)", "VARCHAR"),
        ("number", "DECIMAL(12,2)", "DECIMAL(12,2)"), ("number", "numeric( 9 , 0 )", "DECIMAL(9,0)"),
        ("number", "NUMERIC(5)", "DECIMAL(5,0)"), (None, "decimal", "DECIMAL(18,3)"),
        ("integer", "NUMBER", "DECIMAL(38,0)"),
        ("integer", "INT", "INTEGER"), ("integer", "BIGINT", "BIGINT"), ("integer", "SMALLINT", "INTEGER"),
        ("integer", "TINYINT", "INTEGER"), ("integer", "UBIGINT", "DECIMAL(20,0)"), ("integer", "int(11)", "INTEGER"),
        ("number", "DOUBLE", "DOUBLE"), ("number", "double precision", "DOUBLE"), ("number", "REAL", "FLOAT"),
        ("number", "FLOAT", "FLOAT"), ("number", "float(53)", "DOUBLE"), ("boolean", "BOOLEAN", "BOOLEAN"),
        ("date", "DATE", "DATE"), ("time", "TIME", "TIME"), ("timestamp", "TIMESTAMP", "TIMESTAMP"),
        ("timestamp", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), (None, "datetime2(7)", "TIMESTAMP"),
        (None, "timestamp(6) with time zone", "TIMESTAMP WITH TIME ZONE"),
        (None, "timestamp without time zone", "TIMESTAMP"),
        ("string", "UUID", "UUID"), (None, "BYTEA", "BLOB"), (None, "varbinary(16)", "BLOB"),
        ("object", "JSON", "VARCHAR"),
        (None, "INTEGER[]", "INTEGER[]"), (None, "array<decimal(3,1)>", "DECIMAL(3,1)[]"),
        (None, "map<string, array<int>>", "MAP(VARCHAR, INTEGER[])"),
        # what hanse does not know is left to the logical type
        ("integer", "my_domain_type", "BIGINT"), ("string", "geometry(point;4326)", "VARCHAR"), ("date", None, "DATE"),
        ("number", None, "DOUBLE"), ("integer", None, "BIGINT"), ("timestamp", None, "TIMESTAMP"),
        (None, None, "VARCHAR"),
        ("array", None, "VARCHAR[]"), ("vector", None, "FLOAT[]"), ("map", None, "MAP(VARCHAR, VARCHAR)"),
        # what it knows, but cannot read, is told
        ("number", "decimal(12;2)", "Types with two arguments use a comma"),
        ("number", "decimal(40,2)", "the precision 40 is not between 1 and 38"),
        ("number", "decimal(5,9)", "the scale 9 is not between 0 and the precision 5"),
        ("string", "varchar(a)", "The argument is one whole number"),
        ("string", "varchar(1,2)", "varchar takes at most 1 argument"),
        ("boolean", "boolean(3)", "boolean takes no arguments"),
        ("number", "decimal(12", "its arguments cannot be read"),
        (None, "array<decimal(1;2)>", "Types with two arguments use a comma"),
    ],
)  # fmt: skip
def test_a_spelling_has_one_type(logical: str | None, physical: str | None, expected: str) -> None:
    assert sql(logical, physical) == expected


def test_logical_options_choose_the_width() -> None:
    assert sql("integer", None, format="i16") == "INTEGER"
    assert sql("integer", None, format="u64") == "DECIMAL(20,0)"
    assert sql("number", None, format="f32") == "FLOAT"
    assert sql("timestamp", None, timezone=True) == "TIMESTAMP WITH TIME ZONE"
    assert sql("date", None, format="yyyy-MM-dd HH:mm:ss") == "TIMESTAMP"
    assert sql("date", None, format="yyyy-MM-dd") == "DATE"


def test_nested_types_are_values() -> None:
    assert column_type(None, "map<string,int[]>", {}, ())[0] == MapOf(Scalar("string"), ListOf(Scalar("int32")))


@pytest.mark.parametrize(
    "physical", ["", " ", "(", "<>", "array<", "map<a>", "a b c d e f", "x" * 5000, "[" * 500, "int" + "[]" * 300]
)
def test_any_spelling_ends(physical: str) -> None:
    column_type("string", physical, {}, ())
