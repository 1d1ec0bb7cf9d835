"""The words of a mesh, each with one meaning and an example of the flights mesh; `hanse explain words` prints them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word, what it means here, an example, and what is called otherwise although it sounds alike."""

    word: str
    meaning: str
    example: str
    otherwise: str = ""


WORDS: Sequence[Word] = (
    Word(
        "domain",
        "An owner: a team and its products. Everything it owns lies in its home, one folder that can be moved.",
        "operations owns operations/flights and operations/carriers; its home is .hanse/homes/operations.",
    ),
    Word(
        "product",
        "What a domain offers, described in an ODPS document. Its folder's name is its name.",
        "operations/flights, described in operations/flights/flights.odps.yaml.",
    ),
    Word(
        "contract",
        "What a product promises of its data, an ODCS document: tables, columns, types, rules, service levels.",
        "operations/flights/flights.v1.odcs.yaml promises a table flights with a column tailnum.",
    ),
    Word(
        "output port",
        "A promise that a product makes, with a name, a version and a contract of that version.",
        "operations/flights has one output port, flights, in version 1.0.0.",
        "The way to read is a protocol; where a node answers is a listen address.",
    ),
    Word(
        "input port",
        "What a product reads of another: the contract of one of its port lines, pinned to a major.",
        "fleet/utilisation has input ports for operations/flights@1 and fleet/aircraft@1.",
    ),
    Word(
        "port line",
        "An output port under one major of its version. One version of a line is served at a time, two majors side by "
        "side.",
        "operations/flights@1 is the port line of everything from 1.0.0 to below 2.0.0.",
    ),
    Word(
        "version",
        "A state of the descriptors of a port line, in SemVer; immutable once it is published.",
        "1.1.0 adds a column, 2.0.0 takes one away and begins a new port line.",
        "A state of the data is a snapshot.",
    ),
    Word(
        "snapshot",
        "A state of the data of a port line: the files of its tables with their checksums; immutable.",
        "A build of operations/flights makes a snapshot, in a stage that no reader sees.",
    ),
    Word(
        "publication",
        "Which version and which snapshot readers get, under a number. Publishing moves one pointer; a refresh and a "
        "rollback are publications, too.",
        "operations.flights AT (VERSION => 1) reads the first publication.",
    ),
    Word(
        "protocol",
        "A way to read. Every product is readable over every protocol that its node has on.",
        "HTTP: hanse query, curl and the Python side all use it.",
        "What is promised is the output port.",
    ),
    Word(
        "listen address",
        "Where a node answers: a host and a TCP port.",
        "http://localhost:8470 is that of the demo; hanse serve --port 9000 takes another.",
    ),
    Word(
        "grant",
        "A signed agreement in the owner's home: who may read which product, which columns, for which purposes, until "
        "when.",
        "The team experience holds a grant on operations/flights until a day.",
    ),
    Word(
        "request",
        "Somebody asks an owner for a grant. Nobody decides on an own request.",
        'hanse access request weather/observations --purpose reporting --until 2027-06-30 --why "a look at the wind"',
    ),
    Word(
        "purpose",
        "Why data is read: an id of mesh.yaml with a text and a legal basis.",
        "reporting.",
        "The free text to the owner is the why of a request.",
    ),
    Word(
        "rule",
        "What a contract says must hold of the data: a quality rule or a relationship of ODCS, and each promised type.",
        "flights.v1.odcs.yaml has a rule that every dest is an airport; 7 602 rows break it.",
        "Who may read is said by an access policy; what may be published by a publish policy.",
    ),
    Word(
        "service level",
        "What a contract promises of freshness, frequency and the like, measured from the data where it can be.",
        "weather/observations promises a freshness.",
    ),
    Word(
        "policy",
        "What a domain or the federation lays down. A publish policy judges descriptors, an access policy says who, a "
        "mask and a row policy say how.",
        "A mask makes tailnum a hash for whoever may not see it; a row policy shows analyst_aa flights of AA only.",
    ),
    Word(
        "classification",
        "How sensitive a column is, one of the mesh's classes in order. A column without one counts as the strictest.",
        "tailnum is restricted; carrier is public.",
    ),
    Word(
        "decision",
        "Whether a table may be read and why, which rows, and each column clear, masked or hidden. One function makes "
        "it, for every protocol.",
        "hanse query --explain shows the decision on each table of a question.",
    ),
    Word(
        "node",
        "A process that opens one or more homes and serves them.",
        "hanse serve opens the homes of the project.",
    ),
)


def find(word: str) -> Word | None:
    """The word as people write it: `port line`, `port-line`, `Grants`."""
    said = word.lower().replace("-", " ").replace("_", " ").strip()
    return next((one for one in WORDS if said in (one.word, f"{one.word}s")), None)
