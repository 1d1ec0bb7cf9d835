"""The front door: what it costs, what it lists, how it fails."""

from __future__ import annotations

import ast
import importlib
import json
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from hanse.cli import failures
from hanse.cli.main import VERBS, main
from hanse.cli.state import State
from hanse.client import HanseError as NodeError
from hanse.errors import Finding, HanseError, Kind, RejectedError, Severity

HANSE = Path(sys.executable).with_name("hanse")
ALL = [verb for group in VERBS.values() for verb in group]


def hanse(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


class Broken(HanseError):
    kind = Kind.INVALID
    code = "test.broken-thing"


def _told(error: Exception, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    """What a verb that raises `error` shows."""

    @click.command("status")
    def raising() -> None:
        raise error

    monkeypatch.setitem(main.commands, "status", raising)  # type: ignore[attr-defined]
    return hanse(*words, "status")


def test_help_costs_less_than_a_fifth_of_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([HANSE, "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 0.2
    for verb in ALL:
        assert f"  {verb} " in done.stdout
    assert done.stderr == ""


def test_help_imports_no_heavy_library() -> None:
    program = (
        "import sys\nfrom hanse.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(
        {"rich", "httpx", "urllib3", "fastapi", "duckdb", "pyarrow", "sqlalchemy", "sqlglot", "yaml"}
    )


@pytest.mark.parametrize("verb", ALL)
def test_every_verb_helps(verb: str) -> None:
    done = hanse(verb, "--help")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Usage: ")
    assert importlib.import_module(f"hanse.cli.{_module(verb)}").command.help, "a verb says what it does"


def _module(verb: str) -> str:
    return next(group[verb][0] for group in VERBS.values() if verb in group)


def test_an_unknown_word_is_answered_with_the_nearest_verb() -> None:
    done = hanse("serch", "delay")
    assert done.exit_code == failures.USAGE
    assert done.stderr == "hanse has no verb 'serch'\n\nmend: hanse search\n"


def test_an_unknown_option_is_answered_with_the_nearest_one() -> None:
    done = hanse("query", "--limitt", "3", "select 1")
    assert done.exit_code == failures.USAGE
    assert "--limit" in done.stderr


@pytest.mark.parametrize("words", [("../x",), ("..",), ("run/x",), ("cancel", "../x"), ("run-1?x=1", "--follow")])
def test_what_is_no_id_of_a_run_reaches_no_path(words: tuple[str, ...]) -> None:
    done = hanse("runs", *words)
    assert done.exit_code == failures.USAGE
    assert "is no id; hanse runs shows them" in done.stderr


def test_global_flags_are_taken_before_and_after_the_verb(tmp_path: Path) -> None:
    for words in (("--dir", str(tmp_path), "status"), ("status", "--dir", str(tmp_path))):
        done = hanse(*words)
        assert done.exit_code == failures.USAGE
        assert str(tmp_path) in done.stderr
        assert "\n\nmend: " in done.stderr


def test_global_flags_reach_the_verbs_of_a_group(tmp_path: Path) -> None:
    assert str(tmp_path) in hanse("access", "list", "--dir", str(tmp_path)).stderr


def test_without_a_project_the_way_out_is_told(tmp_path: Path) -> None:
    done = hanse("--dir", str(tmp_path), "plan")
    assert done.exit_code == failures.USAGE
    assert done.stderr.startswith("cli.no-project  ")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.INVALID, 2),
        (Kind.NOT_FOUND, 2),
        (Kind.DENIED, 3),
        (Kind.UNAVAILABLE, 4),
        (Kind.CONFLICT, 3),
        (Kind.FAILED, 70),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: Kind, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"kind": kind.value, "code": "query.x", "detail": "it did not work", "mend": "do the other thing"}
    done = _told(NodeError(problem), monkeypatch)
    assert done.exit_code == status
    assert done.stderr == "query.x  it did not work\n\nmend: do the other thing\n"
    assert done.stdout == ""


def test_findings_are_told_all_at_once_and_exit_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [Finding("a.yaml", 3, 1, "contract.x", "first"), Finding("b.yaml", 1, 1, "contract.y", "second")]
    done = _told(RejectedError("plan", findings), monkeypatch)
    assert done.exit_code == failures.FINDINGS
    assert "a.yaml:3:1" in done.stderr
    assert "b.yaml:1:1" in done.stderr


def test_findings_that_a_node_sent_are_told_like_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding("a.yaml", 3, 1, "contract.x", "first", severity=Severity.WARNING)
    sent = json.loads(json.dumps(RejectedError("plan", [finding]).as_problem(), default=str))
    done = _told(NodeError({"kind": "invalid", **sent}), monkeypatch)
    assert done.exit_code == failures.FINDINGS
    assert "contract.x (warning) a.yaml:3:1  first" in done.stderr


def test_json_tells_an_error_as_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _told(Broken("no", mend="yes"), monkeypatch, "--json")
    assert json.loads(done.stdout)["code"] == "test.broken-thing"


def test_a_fault_writes_a_report_without_data_and_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _told(KeyError("secret-token-of-ada"), monkeypatch)
    assert done.exit_code == failures.FAULT
    assert "Traceback" not in done.output
    path = Path(done.stderr.split("report it with ")[1].split(";")[0])
    text = path.read_text()
    path.unlink()
    assert "KeyError" in text
    assert "secret" not in text + done.output
    assert str(Path.home()) not in text


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" in _told(Broken("no"), monkeypatch, "--debug").stderr


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _told(KeyboardInterrupt(), monkeypatch).exit_code == failures.INTERRUPTED  # type: ignore[arg-type]


def test_control_characters_of_an_error_never_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in _told(Broken("a\x1b[2Jb"), monkeypatch).stderr


def test_a_domain_inside_a_mesh_means_the_mesh(tmp_path: Path) -> None:
    (tmp_path / "sales" / "orders").mkdir(parents=True)
    (tmp_path / "mesh.yaml").write_text("name: m\n")
    (tmp_path / "sales" / "domain.yaml").write_text("team: sales\n")
    assert State(dir=tmp_path / "sales" / "orders").root == tmp_path.resolve()
    (tmp_path / "mesh.yaml").unlink()
    assert State(dir=tmp_path / "sales" / "orders").root == (tmp_path / "sales").resolve()


def test_no_color_is_obeyed_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    @click.command("status")
    def colourful() -> None:
        click.echo(click.style("red", fg="red"))

    monkeypatch.setitem(main.commands, "status", colourful)  # type: ignore[attr-defined]
    assert CliRunner().invoke(main, ["status"], color=True).stdout == "red\n"


def test_every_command_that_an_error_names_exists() -> None:
    sentences = {"can", "does", "has", "never", "reads", "reports", "says", "shows", "knows", "made", "and", "or"}
    named = {
        text.value.split()[1].rstrip(".,:;")
        for path in (Path(__file__).parents[2] / "src" / "hanse").rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value.startswith("hanse ")
        if len(text.value.split()) > 1
    }
    assert {word for word in named if word.isalpha() and word.islower()} - sentences <= set(ALL)
    assert {"search", "access", "token"} <= named
