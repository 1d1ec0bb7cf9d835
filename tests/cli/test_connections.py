"""`hanse connections`, as an owner types it, over a real HTTP server; no value of a variable is ever shown."""

from __future__ import annotations

import getpass
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hanse.cli.main import main
from tests.steps.mesh_of_two import CSV, PEOPLE, domain, files

TOKEN = "hidden-secret"
Run = Callable[..., Result]


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"1,x\n" if self.headers["Authorization"] == f"Bearer {TOKEN}" else b""
        self.send_response(200 if body else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def hanse(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Run:
    people = PEOPLE.replace("Owner of sales, teams", f"Owner of sales, login: {getpass.getuser()}, teams")
    links = f"""connections:
  feed: {{kind: http, url: 'http://127.0.0.1:{port}', token: '${{FEED_TOKEN}}'}}
  gone: {{kind: http, url: 'http://127.0.0.1:1'}}
"""
    mesh = {**files(), "data/orders.csv": CSV, "people.yaml": people, "sales/domain.yaml": domain("sales") + links}
    mesh[".hanse/node.yaml"] = f'egress: ["127.0.0.1:{port}", "127.0.0.1:1"]'
    for path, text in mesh.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in ("HANSE_TOKEN", "HANSE_NODE"):
        monkeypatch.setenv(name, "")

    def run(*words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(main, ["connections", *words])
        assert done.exit_code == status, done.output
        assert TOKEN not in done.output
        return done

    return run


def test_connections_are_listed_and_tried(hanse: Run, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = hanse("list").stdout
    assert f"http://127.0.0.1:{port}" in listed
    assert "missing: FEED_TOKEN" in listed
    assert "source.variable-missing" in hanse("test", "feed", status=1).stdout
    monkeypatch.setenv("HANSE_VARIABLE_SALES__FEED_TOKEN", "wrong")
    assert "source.refused" in hanse("test", "sales/feed", status=1).stdout
    monkeypatch.setenv("HANSE_VARIABLE_SALES__FEED_TOKEN", TOKEN)
    (feed, gone) = json.loads(hanse("list", "--json").stdout)["connections"]
    assert (feed["missing"], feed["variables"], gone["variables"]) == ([], ["FEED_TOKEN"], [])
    assert hanse("test", "feed").stdout == "ok    sales/feed  answers 200\n"
    told = json.loads(hanse("test", "--json", status=1).stdout)
    assert [one["ok"] for one in told["connections"]] == [True, False]
    assert told["connections"][1]["error"]["code"] == "source.unreachable"
    assert told["connections"][1]["error"]["kind"] == "unavailable"
    assert "write one of: feed" in hanse("test", "fed", status=2).stderr
