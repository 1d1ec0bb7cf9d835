"""From an empty folder to a row that a second person reads, by the tutorials word by word."""

from __future__ import annotations

from pathlib import Path

from tests.docs.walkthrough import follow
from tests.postgres import Postgres

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorial"
MOST_COMMANDS = 8


def test_a_csv_is_read_by_a_second_person(tmp_path: Path) -> None:
    runs = follow(TUTORIALS / "csv.md", tmp_path)
    assert len(runs) <= MOST_COMMANDS
    answer = runs[-1].out
    assert "1001" in answer
    assert "48.5" in answer
    assert "@example.org" not in answer
    assert "restricted-by-hash" in runs[-1].err


def test_a_table_of_postgresql_is_read_by_a_second_person(tmp_path: Path, shop: Postgres) -> None:
    csv = (TUTORIALS / "csv.md").read_text().partition("```csv data/orders.csv\n")[2].partition("```")[0]
    rows = [line.split(",") for line in csv.splitlines()[1:]]
    values = ", ".join(f"({r[0]}, '{r[1]}', '{r[2]}', '{r[3]}', '{r[4]}', {r[5]})" for r in rows)
    shop.run(
        "CREATE ROLE tutorial LOGIN PASSWORD 'a long one'",
        "CREATE TABLE orders (order_id bigint PRIMARY KEY, placed timestamp, customer_email text, city text, "
        "status text, amount numeric(10, 2))",
        f"INSERT INTO orders VALUES {values}",
        "GRANT SELECT ON orders TO tutorial",
    )

    def own(text: str) -> str:
        text = text.replace("db.shop.example", "127.0.0.1").replace("5432", str(shop.port))
        return text.replace("database: shop", "database: postgres").replace("user: reader", "user: tutorial")

    runs = follow(TUTORIALS / "postgresql.md", tmp_path, own)
    assert len(runs) <= MOST_COMMANDS
    assert "paid" in runs[-1].out
    assert "60.5" in runs[-1].out
    kept = "".join(file.read_text() for file in tmp_path.rglob("*.yaml") if ".hanse" not in file.parts)
    assert "a long one" not in kept + "".join(run.out + run.err for run in runs)
    assert "example.org" not in kept
