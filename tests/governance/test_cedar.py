"""Access policies: what is found wrong in them, where, and what a set of them can tell apart."""

from __future__ import annotations

import pytest

from hanse.governance import cedar

from .world import findings, policies


@pytest.mark.parametrize(
    ("text", "line", "message", "mend"),
    [
        ('permit (principal, action, resource) when { resource.acess == "x" };', 1, "'acess'", "access"),
        ('// why\n\npermit (principal, action == Action::"raed", resource);', 3, "'raed'", "read"),
        ('permit (principal in Taem::"x", action, resource);', 1, "'Taem'", "Team"),
        ('permit (principal, action, resource) when { context.purpose == "x" };', 1, "absent", "context has purpose"),
        ("permit (principal, action, resource) when { resource.level > true };", 1, "expected", ""),
        ("permit (principal, resource);", 1, "action", ""),
        ('@id("a;b") permit (principal, action, resource);\npermit (principal', 2, "end of input", ""),
        ("permit (principal == ?principal, action, resource);", 1, "template", "name a principal"),
        (
            'permit (principal, action, resource) when { resource == Data::"x" };',
            1,
            "cannot be named",
            "resource.table",
        ),
        ('permit (principal, action, resource) when { context.protocol == "mcp" };', 1, "protocol", "forbid"),
    ],
)
def test_a_statement_with_a_fault_is_told_at_its_line(text: str, line: int, message: str, mend: str) -> None:
    found = findings({"access/x.cedar": text})
    assert found
    assert {(f.code, f.file, f.line) for f in found} == {("policy.bad-access", "policies/access/x.cedar", line)}
    assert any(message in f.message and mend in f.mend for f in found), found


def test_every_statement_with_a_fault_is_told() -> None:
    text = "permit (principal, resource);\nforbid (principal, action, resource);\npermit (action);\n"
    assert [f.line for f in findings({"access/x.cedar": text})] == [1, 3]


def test_the_base_set_fits_its_schema() -> None:
    read, found = cedar.read([("policies/access/base.cedar", cedar.base_text())])
    assert found == []
    assert all(statement.says for statement in read.statements)
    assert len({statement.id for statement in read.statements}) == len(read.statements) // 2


def test_a_set_knows_what_it_can_tell_apart() -> None:
    held = policies(
        {
            "access/x.cedar": 'forbid (principal == Person::"ada", action, resource)'
            "when { resource.tags.isEmpty() };"
            'permit (principal in Team::"t", action, resource) when { principal.hasTag("k") && resource.level < 1 };'
        }
    ).access.mentions
    assert held.people == {("Person", "ada")}
    assert "t" in held.teams
    assert held.tags == {"k"}
    assert held.resource is not None
    assert {"tags", "level"} <= held.resource
    assert "product" not in held.resource
    assert held.context == {"roles"}


def test_a_tag_whose_name_is_computed_may_be_any() -> None:
    text = "forbid (principal, action, resource) when { principal.hasTag(resource.access) };"
    assert policies({"access/x.cedar": text}).access.mentions.tags is None


def test_files_that_are_no_policies_are_told() -> None:
    found = findings({"acces/x.cedar": "", "rows/x.cedar": "", "README.md": "for people"})
    assert [(f.code, f.file) for f in found] == [
        ("policy.unknown-file", "policies/acces/x.cedar"),
        ("policy.unknown-file", "policies/rows/x.cedar"),
    ]


def test_equal_texts_are_equal_policies() -> None:
    files = {"access/x.cedar": "forbid (principal, action, resource);"}
    assert policies(files) == policies(files)
    assert policies(files).hash != policies().hash
    assert policies(files).hash != policies(local=files).hash
    assert policies(classes=("a", "b")).hash != policies().hash
