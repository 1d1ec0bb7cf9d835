"""mesh.yaml, people.yaml and domain.yaml: what they say, and what is wrong with them, told with the nearest word."""

from __future__ import annotations

from typing import Any

import pytest

from hanse.errors import Finding, rejects
from hanse.spec import mesh_file
from hanse.spec.document import Document, load
from hanse.spec.model import Domain, Mesh


def document(text: str, file: str) -> Document:
    found, findings = load(text, file)
    assert found is not None, findings
    return found


def mesh(text: str) -> tuple[Mesh | None, list[Finding]]:
    return mesh_file.mesh(document(text, "mesh.yaml"))


def domain(text: str, folder: str | None = "sales") -> tuple[Domain | None, list[Finding]]:
    return mesh_file.domain(document(text, "sales/domain.yaml"), folder, {}, mesh_name="trade")


def told(found: tuple[Any, list[Finding]]) -> list[tuple[str, str]]:
    return [(finding.code, finding.pointer) for finding in found[-1]]


def test_a_mesh_says_its_name_classes_and_purposes() -> None:
    found, findings = mesh(
        "name: trade\ntitle: Trade\nclassifications: [open, secret]\n"
        "purposes: {a: {text: Planning, basis: contract}, b: Research}\n"
        "members: {growth: {key: k, address: https://growth.example}}\n"
        "issuers: {corp: {issuer: https://id.example, audience: hanse, keys: https://id.example/jwks}}\n"
    )
    assert findings == []
    assert found is not None
    assert (found.name, found.classifications) == ("trade", ("open", "secret"))
    assert found.purposes == {"a": "Planning", "b": "Research"}
    assert found.raw["members"]["growth"]["key"] == "k"


def test_classifications_that_are_not_said_are_the_usual_three() -> None:
    found, _ = mesh("name: trade")
    assert found is not None
    assert found.classifications == ("public", "internal", "restricted")


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("title: x", "mesh.bad-value", "/name"),
        ("name: Trade-1", "mesh.bad-value", "/name"),
        ("name: 3", "mesh.bad-value", "/name"),
        ("name: trade\nclasifications: [a]", "mesh.unknown-key", "/clasifications"),
        ("name: trade\nclassifications: a", "mesh.bad-value", "/classifications"),
        ("name: trade\nclassifications: [a, A]", "mesh.bad-value", "/classifications"),
        ("name: trade\npurposes: [a]", "mesh.bad-value", "/purposes"),
        ("name: trade\npurposes: {a: {txt: x}}", "mesh.unknown-key", "/purposes/a/txt"),
        ("name: trade\nmembers: {Growth: {}}", "mesh.bad-value", "/members/Growth"),
        ("- trade", "mesh.bad-value", ""),
    ],
)
def test_what_is_wrong_with_mesh_yaml_is_told_at_its_place(text: str, code: str, pointer: str) -> None:
    found = mesh(text)
    assert found[0] is None
    assert (code, pointer) in told(found)


def test_an_unknown_word_is_told_with_the_nearest_one() -> None:
    finding = mesh("name: trade\npurpose: {}\n")[1][0]
    assert "purposes" in finding.mend
    assert (finding.line, finding.column) == (2, 1)


def test_people_have_teams_attributes_and_logins() -> None:
    text = (
        "teams: {sellers: {title: Sales}, growers: Growth, others: }\n"
        "people:\n"
        "  ada: {title: Ada, teams: [sellers, others], login: ada, attributes: {carrier: AA, level: 3, of: [a, b]}}\n"
        "  bob:\n"
    )
    people, teams, findings = mesh_file.people(document(text, "people.yaml"))
    assert findings == []
    assert teams == {"sellers": "Sales", "growers": "Growth", "others": "others"}
    assert people["ada"].teams == ("sellers", "others")
    assert people["ada"].attributes == {"carrier": "AA", "level": 3, "of": ("a", "b")}
    assert people["bob"].login is None


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("people: {ada: {teams: [sellrs]}}", "/people/ada/teams/0"),
        ("people: {ada: {team: sellers}}", "/people/ada/team"),
        ("people: {'a b': {}}", "/people/a b"),
        ("people: {ada: {attributes: {x: {y: 1}}}}", "/people/ada/attributes/x"),
        ("people: {ada: {attributes: {x: }}}", "/people/ada/attributes/x"),
        ("people: {ada: {login: a}, bob: {login: a}}", "/people/bob/login"),
        ("people: [ada]", "/people"),
        ("person: {}", "/person"),
    ],
)
def test_what_is_wrong_with_people_yaml_is_told_and_that_person_is_left_out(text: str, pointer: str) -> None:
    people, _, findings = mesh_file.people(document(f"teams: {{sellers: {{}}}}\n{text}", "people.yaml"))
    assert pointer in [finding.pointer for finding in findings]
    assert rejects(findings)
    assert pointer.split("/")[2:3] == [] or pointer.split("/")[2] not in people


def test_a_domain_has_an_owner_team_and_members_with_roles() -> None:
    found, findings = domain(
        "name: sales\nteam: sellers\nmembers: {ada: [owner, steward], bob: builder}\nsupport: https://help.example\n"
        "connections: {warehouse: {kind: postgres, user: reader, password: '${WAREHOUSE_PASSWORD}'}}\n"
        "storage: {kind: s3, bucket: sales}\nkeep: {publications: 90 d, audit: 10 y}\n"
    )
    assert findings == []
    assert found is not None
    assert found.members == {"ada": ("owner", "steward"), "bob": ("builder",)}
    assert (found.name, found.team, found.support) == ("sales", "sellers", "https://help.example")


def test_a_domain_s_name_is_its_folder_s() -> None:
    unnamed = domain("team: t")[0]
    assert unnamed is not None
    assert unnamed.name == "sales"
    assert told(domain("name: growth\nteam: t")) == [("mesh.bad-value", "/name")]
    assert told(domain("team: t", folder=None)) == [("mesh.bad-value", "/name")]


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("name: sales", "mesh.bad-value", "/team"),
        ("team: t\nmembers: {ada: [ownr]}", "mesh.bad-value", "/members/ada/0"),
        ("team: t\nmembers: {ada: ownr}", "mesh.bad-value", "/members/ada"),
        ("team: t\nmember: {}", "mesh.unknown-key", "/member"),
        ("team: t\nconnections: {w: {password: hunter2}}", "mesh.secret", "/connections/w/password"),
        ("team: t\nstorage: s3", "mesh.bad-value", "/storage"),
        ("team: t\nkeep: {audit: for ever}", "mesh.bad-value", "/keep/audit"),
        ("team: t\nkeep: {audits: 1 d}", "mesh.unknown-key", "/keep/audits"),
        ("[]", "mesh.bad-value", ""),
    ],
)
def test_what_is_wrong_with_domain_yaml_is_told_at_its_place(text: str, code: str, pointer: str) -> None:
    found = domain(text)
    assert found[0] is None
    assert (code, pointer) in told(found)


@pytest.mark.parametrize("name", ["main", "mesh", "trade"])
def test_no_domain_takes_a_name_of_sql_or_of_the_mesh(name: str) -> None:
    assert ("name.reserved", "/name") in told(domain(f"name: {name}\nteam: t", folder=None))


def test_a_secret_is_never_repeated() -> None:
    finding = domain("team: t\nconnections: {w: {password: hunter2}}")[1][0]
    assert "hunter2" not in finding.message + finding.mend + finding.why


def test_a_password_in_a_connections_address_is_a_secret_in_the_open() -> None:
    text = (
        "name: sales\nteam: sales\nconnections:\n  shop: {kind: adbc, uri: 'postgresql://ada:pw@db.example:5432/x'}\n"
    )
    assert told(domain(text)) == [("mesh.secret", "/connections/shop/uri")]
    assert told(domain(text.replace(":pw@", ":${PW}@"))) == []
    assert told(domain(text.replace("kind: adbc", "kin: adbc").replace(":pw@", "@"))) == [
        ("mesh.bad-value", "/connections/shop")
    ]
