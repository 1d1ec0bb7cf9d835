"""What has one right answer is mended, and nothing else is touched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hanse.errors import rejects
from hanse.names import ProductId, Version
from hanse.spec.bump import CannotBump, bumped, stepped
from hanse.spec.compat import Step
from hanse.spec.fixes import fixed
from hanse.spec.project import project

ROOT = Path(__file__).parents[2] / "examples" / "flights"
USE = "fleet/utilisation/utilisation.odps.yaml"
UTILISATION = ProductId("fleet", "utilisation")


@pytest.fixture(scope="module")
def flights() -> dict[str, str]:
    ends = (".yaml", ".sql", ".py", ".cedar")
    return {str(f.relative_to(ROOT)): f.read_text() for f in ROOT.rglob("*") if f.name.endswith(ends)}


def test_a_project_without_findings_is_left_as_it_is(flights: dict[str, str]) -> None:
    texts, done = fixed(flights)
    assert texts == flights
    assert done == []


def test_ports_are_derived_from_what_transforms_read_and_comments_stay(flights: dict[str, str]) -> None:
    broken = re.sub(r"inputPorts:.*?outputPorts:", "# made of two\noutputPorts:  # one", flights[USE], flags=re.DOTALL)
    broken = re.sub(r"    inputContracts:.*?support:", "support:", broken, flags=re.DOTALL)
    assert rejects(project({**flights, USE: broken})[1])
    texts, done = fixed({**flights, USE: broken})
    read, findings = project(texts)
    assert not rejects(findings)
    ports = {port.contract_id for port in read.products[UTILISATION].product.inputs}
    assert ports == {"operations.flights.v1", "fleet.aircraft.v1"}
    assert set(read.products[UTILISATION].product.outputs[0].input_contracts) == ports
    assert "# made of two\noutputPorts:  # one\n" in texts[USE]
    assert len(done) == 2
    assert fixed(texts)[1] == []


def test_a_key_is_spelled_as_the_standard_does(flights: dict[str, str]) -> None:
    texts, done = fixed({**flights, USE: flights[USE].replace("outputPorts:", "outputPort:")})
    assert texts == flights
    assert [one.what for one in done] == ["outputPort is called outputPorts"]


def test_a_port_takes_over_its_contract_s_version_within_a_major(flights: dict[str, str]) -> None:
    port = "    version: 1.0.0\n    description"
    ahead = flights[USE].replace(port, port.replace("1.0.0", "1.2.0"))
    assert not rejects(project(fixed({**flights, USE: ahead})[0])[1])
    other = flights[USE].replace(port, port.replace("1.0.0", "2.0.0"))
    assert fixed({**flights, USE: other})[0][USE] == other


def test_a_file_that_cannot_be_read_is_left_alone(flights: dict[str, str]) -> None:
    texts, _ = fixed({**flights, USE: "a: [\n"})
    assert texts[USE] == "a: [\n"


@pytest.mark.parametrize(("step", "version"), [(Step.PATCH, "1.2.4"), (Step.MINOR, "1.3.0"), (Step.MAJOR, "2.0.0")])
def test_a_version_steps_as_semver_does(step: Step, version: str) -> None:
    assert str(stepped(Version(1, 2, 3), step)) == version


def test_a_bump_moves_contract_and_port_together(flights: dict[str, str]) -> None:
    texts, line, version = bumped(flights, UTILISATION, Step.MINOR)
    assert (str(version), line.major) == ("1.1.0", 1)
    read, findings = project(texts)
    assert not rejects(findings)
    assert read.products[UTILISATION].contracts[line].version == version
    assert {file for file in texts if texts[file] != flights[file]} == {
        USE,
        "fleet/utilisation/utilisation.v1.odcs.yaml",
    }


def test_a_new_major_stands_beside_the_former(flights: dict[str, str]) -> None:
    texts, line, version = bumped(flights, UTILISATION, Step.MAJOR)
    assert (str(version), line.major) == ("2.0.0", 2)
    read, findings = project(texts)
    assert not rejects(findings), findings
    assert {one.major for one in read.products[UTILISATION].contracts} == {1, 2}
    assert {table.major for table in read.products[UTILISATION].tables} == {1, 2}


def test_what_cannot_be_bumped_says_why(flights: dict[str, str]) -> None:
    with pytest.raises(CannotBump, match="not in the project"):
        bumped(flights, ProductId("fleet", "nothing"), Step.MINOR)
    with pytest.raises(CannotBump, match="no such output port"):
        bumped(flights, UTILISATION, Step.MINOR, port="nothing")
