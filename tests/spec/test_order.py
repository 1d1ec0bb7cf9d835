"""Tables are built after what they are made of; circles are told, and stop nothing from being told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hanse.names import ProductId, TableId
from hanse.spec.model import Project
from hanse.spec.order import build_edges, build_order, cycles
from tests.spec.mesh_texts import column, contract, product, read

ORDERS = TableId(ProductId("sales", "orders"), 1, "orders")
BASKETS = TableId(ProductId("growth", "baskets"), 1, "baskets")


def made(reads: list[set[int]]) -> Project:
    """A project of one product whose table `t<i>` reads the tables `t<j>`, j in reads[i]."""
    names = [f"t{i}" for i in range(len(reads))]
    tables = contract("sales.graph.v1", "unused", [])
    tables["schema"] = [{"name": name, "logicalType": "object", "properties": [column("a")]} for name in names]
    sql = {}
    for name, others in zip(names, reads, strict=True):
        addresses = [f"sales.graph_v1.t{j}" for j in sorted(others)] or ["feed"]
        sql[f"sales/graph/{name}.sql"] = " UNION ALL ".join(f"SELECT a FROM {address}" for address in addresses)
    files = {
        "sales/graph/graph.odps.yaml": product("sales", "graph"),
        "sales/graph/graph.v1.odcs.yaml": tables,
        "sales/graph/build.yaml": {"sources": {"feed": {}}, "tables": {name: {"sql": f"{name}.sql"} for name in names}},
    }
    return read(**files, **sql)[0]


def test_edges_lead_to_tables_and_sources() -> None:
    edges = build_edges(read()[0])
    assert edges == {ORDERS: frozenset({"feed"}), BASKETS: frozenset({ORDERS})}


def test_a_table_comes_after_its_inputs_over_products_and_domains() -> None:
    order = build_order(read()[0])
    assert order.index(ORDERS) < order.index(BASKETS)


def test_what_lies_outside_the_project_is_an_edge_and_no_step() -> None:
    whole, _ = read(**{"growth/baskets/baskets.sql": "SELECT item, 1 AS orders FROM stock.items_v2.items"})
    assert build_edges(whole)[BASKETS] == {"stock.items_v2.items"}
    assert set(build_order(whole)) == {ORDERS, BASKETS}


def test_a_circle_is_told_with_the_whole_way_round() -> None:
    told = cycles(made([{1}, {2}, {0}]))
    assert [f.code for f in told] == ["build.cycle"]
    assert told[0].message.count("->") == 3
    assert told[0].file == "sales/graph/build.yaml"


def test_a_table_that_reads_itself_is_a_circle() -> None:
    assert len(cycles(made([{0}]))) == 1


@given(
    st.integers(1, 6).flatmap(lambda n: st.lists(st.sets(st.integers(0, n - 1), max_size=3), min_size=n, max_size=n))
)
def test_order_holds_wherever_there_is_no_circle(reads: list[set[int]]) -> None:
    whole = made(reads)
    order = [int(id.table[1:]) for id in build_order(whole) if id.product.name == "graph"]
    assert sorted(order) == list(range(len(reads)))
    reach = [set(others) for others in reads]
    for _ in reads:
        reach = [others | {k for j in others for k in reach[j]} for others in reach]
    circular = {i for i, others in enumerate(reach) if i in others}
    assert bool(cycles(whole)) == bool(circular)
    # what neither stands in a circle nor comes after one is built after all that it reads
    for i, others in enumerate(reads):
        if i not in circular and not reach[i] & circular:
            assert all(order.index(j) < order.index(i) for j in others)
