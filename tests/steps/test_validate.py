"""validate: files by themselves, a project with its links, at the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hanse.cli.findings import annotation, line, printable
from hanse.cli.state import State
from hanse.cli.validate import command
from hanse.errors import Finding, Severity

GOOD = """\
apiVersion: v3.2.0
kind: DataContract
id: sales.orders.v1
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer}
"""
BAD = GOOD.replace("logicalType: integer", "logicalType: interger").replace("sales.orders.v1", "sales orders")


def run(*words: str, flags: State | None = None) -> Result:
    return CliRunner().invoke(command, list(words), obj=flags or State(), catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "good.odcs.yaml").write_text(GOOD)
    (tmp_path / "bad.odcs.yaml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_good_file_is_good(folder: Path) -> None:
    done = run("good.odcs.yaml")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "1 file read: nothing to mend\n", "")


def test_all_findings_are_told_on_a_line_each_and_the_summary_last(folder: Path) -> None:
    done = run("bad.odcs.yaml", "good.odcs.yaml")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("id.syntax bad.odcs.yaml:3:5  id 'sales orders' holds ' '. ")
    assert lines[0].endswith(". Mend: write sales-orders")
    assert lines[1].startswith("schema.enum bad.odcs.yaml:9:33  'logicalType' is 'interger', which is none of string,")
    assert lines[1].endswith("Mend: write integer")
    assert lines[2:] == ["2 files read: 2 errors"]


def test_json_is_one_document_on_stdout_and_the_talk_on_stderr(folder: Path) -> None:
    for done in (run("bad.odcs.yaml", "--format", "json"), run("bad.odcs.yaml", flags=State(json=True))):
        document = json.loads(done.stdout)
        assert (done.exit_code, document["schema"], document["ok"]) == (1, "hanse.validate/1", False)
        assert (document["files"], document["errors"], document["warnings"]) == (1, 2, 0)
        found = document["findings"][1]
        assert (found["code"], found["line"], found["column"]) == ("schema.enum", 9, 33)
        assert found["pointer"] == "/schema/0/properties/0/logicalType"
        assert done.stderr == "1 file read: 2 errors\n"


def test_github_annotations_stand_at_their_lines(folder: Path) -> None:
    lines = run("bad.odcs.yaml", "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::error file=bad.odcs.yaml,line=3,col=5,title=id.syntax::id 'sales orders'")
    assert len(lines) == 2


def test_what_a_file_says_cannot_break_out_of_the_report() -> None:
    nasty = Finding("a,b:c.yaml", 1, 1, "x.y", "m\n::error::own\r%0A", mend="\x1b[31m\u202e", severity=Severity.WARNING)
    assert annotation(nasty) == (
        "::warning file=a%2Cb%3Ac.yaml,line=1,col=1,title=x.y::m\\n::error::own\\r%250A. Mend: \\x1b[31m\\u202e"
    )
    assert line(nasty).count("\n") == 0
    assert printable("a\tb\x07") == "a b\\x07"


def test_a_folder_gives_its_descriptors(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.odcs.yaml").write_text("[")
    (folder / "notes.yaml").write_text("[")
    assert run(".").stdout.splitlines()[-1] == "2 files read: 2 errors"


def test_nothing_to_validate_is_wrong_use(folder: Path) -> None:
    (folder / "empty").mkdir()
    for words in (("empty",), ("absent.yaml",)):
        done = run(*words)
        assert done.exit_code == 2
        assert done.stdout == ""


def test_files_of_a_project_by_themselves_are_judged_as_yaml(folder: Path) -> None:
    (folder / "build.yaml").write_text("sources: {}\nsources: {}\n")
    (folder / "domain.yaml").write_text("name: sales\n")
    done = run("build.yaml", "domain.yaml")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0].startswith("yaml.duplicate-key build.yaml:2:1")
    assert done.stdout.splitlines()[-1] == "2 files read: 1 error"


def test_a_large_or_binary_file_is_refused_without_reading_it_whole(folder: Path) -> None:
    (folder / "large.yaml").write_bytes(b"a" * (5 << 20))
    (folder / "binary.yaml").write_bytes(bytes(range(256)))
    lines = run("large.yaml", "binary.yaml").stdout.splitlines()
    assert [text.split()[0] for text in lines[:2]] == ["yaml.encoding", "yaml.size"]


def test_a_project_is_checked_with_its_links(flights_data: Path) -> None:
    root = flights_data.parent
    done = run(str(root))
    assert done.exit_code == 0, done.stdout
    assert "error" not in done.stdout.splitlines()[-1]
    assert run(flags=State(dir=root / "operations")).exit_code == 0


def test_the_example_of_the_guide_reads_as_it_does_there(folder: Path) -> None:
    (folder / "x.odcs.yaml").write_text(GOOD.replace("logicalType: integer", "physicalType: decimal(12;2)"))
    assert run("x.odcs.yaml").stdout.splitlines()[0] == (
        "contract.bad-type x.odcs.yaml:9:34  'decimal(12;2)' is not a type. Types with two arguments use a comma. "
        "Mend: decimal(12,2)"
    )


def test_on_a_terminal_the_line_is_shown_with_a_caret_below_the_place(folder: Path) -> None:
    leader, follower = pty.openpty()
    words = [sys.executable, "-c", "from hanse.cli.main import main; main()", "validate", "bad.odcs.yaml"]
    done = subprocess.run(words, stdout=follower, stdin=follower, check=False, cwd=folder)
    os.close(follower)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", os.read(leader, 1 << 16).decode()).replace("\r\n", "\n")
    os.close(leader)
    assert done.returncode == 1
    lines = shown.splitlines()
    at = lines.index("  9 |       - {name: id, logicalType: interger}")
    assert lines[at + 1].startswith("    | ")
    assert lines[at + 1].index("^") == lines[at].index("interger")
    assert lines[at + 2] == "  mend: write integer"
    assert lines[-1] == "1 file read: 2 errors"


def test_validating_opens_only_the_named_file_and_no_socket(folder: Path) -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom hanse.cli.validate import command\n"
        "run = lambda: CliRunner().invoke(command, ['good.odcs.yaml'], catch_exceptions=False)\n"
        "run()\nseen = []\n"
        "sys.addaudithook(lambda e, a: seen.append(str(a[0])) if e == 'open' or e[:6] == 'socket' else 0)\n"
        "assert run().exit_code == 0\nassert set(seen) == {'good.odcs.yaml'}, seen\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_validating_imports_no_engine(folder: Path) -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom hanse.cli.validate import command\n"
        "CliRunner().invoke(command, ['good.odcs.yaml'], catch_exceptions=False)\n"
        "heavy = {'duckdb', 'pyarrow', 'pyiceberg', 'sqlglot', 'cedarpy', 'sqlalchemy', 'fastapi', 'httpx'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_standards_are_validated_at_the_command_line(standards: Path) -> None:
    good = run(str(standards / "odcs/examples"), str(standards / "odps/examples"))
    assert good.exit_code == 0
    assert "7 warnings" in good.stdout.splitlines()[-1]
    bad = run(str(standards / "odcs/invalid"))
    assert bad.exit_code == 1
    assert bad.stdout.splitlines()[-1] == "19 files read: 21 errors"


def test_policies_of_a_project_are_judged_where_they_lie(tmp_path: Path) -> None:
    from hanse.node.steps.validate import validate_project

    texts = {"mesh.yaml": "name: trade\n", "sales/domain.yaml": "team: t\n"}
    broken = {"policies/access/a.cedar": "permit (", "sales/policies/masks.yaml": "- {name: x}\n"}
    told = {finding.file for finding in validate_project(texts | broken)}
    assert told == set(broken)
    alone = {"domain.yaml": "name: sales\nteam: t\n", "policies/rows/r.sql": "SELECT"}
    assert {finding.file for finding in validate_project(alone)} == {"policies/rows/r.sql"}
    assert validate_project(texts) == []
