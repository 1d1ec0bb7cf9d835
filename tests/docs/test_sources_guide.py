"""The guide to sources is followed as it is written, with a real PostgreSQL in the place of its example's."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.postgres import Postgres
from tests.steps.mesh_of_two import CSV, KEY, PEOPLE, PUBLIC, contract, domain, files, product

GUIDE = (Path(__file__).parents[2] / "docs/guides/sources.md").read_text()
COLUMNS = [("id", "integer", "BIGINT", KEY), ("happened", "timestamp", "TIMESTAMPTZ", PUBLIC)]


def test_a_table_of_postgresql_is_built_by_the_guide(tmp_path: Path, shop: Postgres) -> None:
    blocks = dict(re.findall(r"^```(?:yaml|ini) (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
    assert set(blocks) == {"sales/domain.yaml", ".hanse/variables.ini", ".hanse/node.yaml", "sales/events/build.yaml"}
    people = PEOPLE.replace("Owner of sales, teams", f"Owner of sales, login: {getpass.getuser()}, teams")
    mesh = {
        **files(),
        "data/orders.csv": CSV,
        "people.yaml": people,
        "sales/events/events.odps.yaml": product("sales", "events"),
        "sales/events/events.v1.odcs.yaml": contract("sales", "events", {"events": COLUMNS}),
        "sales/events/events.sql": "SELECT id, happened FROM raw\n",
        **blocks,
    }
    mesh["sales/domain.yaml"] = domain("sales") + mesh["sales/domain.yaml"]
    shop.run(
        "CREATE ROLE reader LOGIN PASSWORD 'a long one'",
        "CREATE TABLE events AS SELECT 1::bigint AS id, timestamptz '2024-01-01 00:00+00' AS happened",
        "GRANT SELECT ON events TO reader",
    )
    for path, text in mesh.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        text = text.replace("db.shop.example", "127.0.0.1").replace("port: 5432", f"port: {shop.port}")
        text = text.replace(":5432", f":{shop.port}").replace("database: shop", "database: postgres")
        (tmp_path / path).write_text(text)
    (tmp_path / ".hanse/variables.ini").chmod(0o600)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HANSE")}
    environment = {**plain, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = re.findall(r"^\$ (hanse (?:connections|build) .*)$", GUIDE, re.MULTILINE)
    assert len(commands) == 3
    said = ""
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        said += done.stdout + done.stderr
    assert "ok    sales/shop  1 table in schema public" in said
    assert "read 1 rows of raw" in said
    assert "a long one" not in said


def test_every_error_of_a_source_is_in_the_guide_or_says_all_by_itself() -> None:
    import hanse.engine.sources.errors  # noqa: F401  declares them
    from hanse.errors import codes

    told = set(re.findall(r"^\| `(source\.[a-z-]+)`", GUIDE, re.MULTILINE))
    plain = {"source.no-connection", "source.bad-connection", "source.unsafe-variables", "source.missing-extra"}
    assert {slug for slug in codes() if slug.startswith("source.")} == told | plain
