"""mesh.yaml, people.yaml and domain.yaml: the mesh's words, its people, and the owners of its domains.

mesh.yaml
    name             the mesh's name, by the grammar of names
    title            text
    classifications  list from least to most strict; absent: public, internal, restricted
    purposes         id → {text, basis}, or id → text
    members          domain → {key, address}: the domains that nodes elsewhere serve
    issuers          prefix → {issuer, audience, keys, groups}: whose tokens count, and under which prefix

people.yaml
    teams            team → {title}, or team → title
    people           person → {title, teams, attributes, login}; an attribute is a text, number, boolean or list of them

domain.yaml
    name             the domain's name: its folder's name, where it has a folder
    title            text
    team             the owner team
    members          person → list of roles (owner, steward, builder, consumer, auditor), or one role
    support          address of help
    connections      name → {kind, …}; a secret is written as ${VARIABLE}, never as itself
    storage          where data lies: {kind: local | s3, …}
    keep             what is kept for how long: publications, audit, samples → duration such as 90 d; and, for products
                     whose build.yaml says nothing else, days and at_least of their former publications
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hanse.errors import Finding, Kind, Severity, code, rejects
from hanse.names import RESERVED_DOMAINS, is_name
from hanse.spec import keep as keep_words
from hanse.spec.checks.identity import is_variable, slug
from hanse.spec.checks.service_levels import seconds
from hanse.spec.document import Document
from hanse.spec.model import Domain, Mesh, Person
from hanse.spec.near import Near
from hanse.spec.pointer import pointer

UNKNOWN_KEY = code(
    "mesh.unknown-key", Kind.INVALID, "A word in mesh.yaml, people.yaml or domain.yaml means nothing",
    "A word that is not known would be skipped silently, and with it what it was meant to do.",
    "Correct the spelling; the message names the words that exist.",
)  # fmt: skip
BAD_VALUE = code(
    "mesh.bad-value", Kind.INVALID, "A value in mesh.yaml, people.yaml or domain.yaml is not of its kind",
    "Who owns and who may see is decided by these files, so nothing in them is guessed at.",
    "Write the value as the message says.",
)  # fmt: skip
RESERVED = code(
    "name.reserved", Kind.INVALID, "A name is taken by SQL or by the mesh",
    "A domain or product with this name could not be told apart from a catalogue or schema that already has it.",
    "Choose another name.",
)  # fmt: skip
SECRET = code(
    "mesh.secret", Kind.INVALID, "A secret stands in a file",
    "Files are committed, copied and sent to nodes; a secret in them is no secret any more.",
    "Write ${VARIABLE} and set it where the node runs, and change the secret.",
)  # fmt: skip

CLASSIFICATIONS = ("public", "internal", "restricted")
ROLES = ("owner", "steward", "builder", "consumer", "auditor")
_MESH = ("name", "title", "classifications", "purposes", "members", "issuers")
_PURPOSE = ("text", "basis")
_MEMBER = ("key", "address")
_ISSUER = ("issuer", "audience", "keys", "groups")
_PEOPLE = ("teams", "people")
_TEAM = ("title",)
_PERSON = ("title", "teams", "attributes", "login")
_DOMAIN = ("name", "title", "team", "members", "support", "connections", "storage", "keep")
_STORAGE = ("kind", "path", "bucket", "prefix", "endpoint", "region", "connection")
_KEPT = ("publications", "audit", "samples")
_KEEP = (*_KEPT, *keep_words.WORDS)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,126}", re.ASCII)
_IN_ADDRESS = re.compile(r"://[^/@:\s]*:([^/@\s]+)@")
_SECRET = re.compile(r"password|passwd|secret|token|private|credential", re.IGNORECASE)


def mesh(document: Document) -> tuple[Mesh | None, list[Finding]]:
    """The mesh and every finding; None when an error stands in the way."""
    reader = _Reader(document)
    tree = reader.top(_MESH)
    if tree is None:
        return None, reader.findings
    name = reader.name("/name", tree.get("name"), "mesh")
    reader.text("/title", tree.get("title"))
    classes = reader.texts("/classifications", tree.get("classifications"))
    if len({c.lower() for c in classes}) != len(classes):
        reader.bad("/classifications", "a classification stands twice", "name each once, from least to most strict")
    purposes = {}
    for id, at, value in reader.members("/purposes", tree.get("purposes")):
        if isinstance(value, str):
            purposes[id] = value
        elif (entry := reader.mapping(at, value, _PURPOSE)) is not None:
            purposes[id] = reader.text(f"{at}/text", entry.get("text")) or id
            reader.text(f"{at}/basis", entry.get("basis"))
    for domain, at, value in reader.members("/members", tree.get("members")):
        reader.name(at, domain, "domain", key=True)
        if (entry := reader.mapping(at, value, _MEMBER)) is not None:
            for word in _MEMBER:
                reader.text(f"{at}/{word}", entry.get(word))
    for _, at, value in reader.members("/issuers", tree.get("issuers")):
        if (entry := reader.mapping(at, value, _ISSUER)) is not None:
            for word in _ISSUER:
                reader.text(f"{at}/{word}", entry.get(word))
    if rejects(reader.findings):
        return None, sorted(reader.findings)
    return Mesh(name, classes or CLASSIFICATIONS, purposes, tree, document.place("")), sorted(reader.findings)


def people(document: Document) -> tuple[Mapping[str, Person], Mapping[str, str], list[Finding]]:
    """Persons by name, titles of teams by name, and every finding; a person with an error is left out."""
    reader = _Reader(document)
    tree = reader.top(_PEOPLE)
    teams: dict[str, str] = {}
    persons: dict[str, Person] = {}
    if tree is None:
        return persons, teams, reader.findings
    for name, at, value in reader.members("/teams", tree.get("teams")):
        reader.id(at, name, "team")
        if isinstance(value, str):
            teams[name] = value
        elif value is None:
            teams[name] = name
        elif (entry := reader.mapping(at, value, _TEAM)) is not None:
            teams[name] = reader.text(f"{at}/title", entry.get("title")) or name
    logins: dict[str, str] = {}
    for name, at, value in reader.members("/people", tree.get("people")):
        before = len(reader.findings)
        reader.id(at, name, "person")
        entry = reader.mapping(at, {} if value is None else value, _PERSON)
        if entry is None:
            continue
        belongs = reader.texts(f"{at}/teams", entry.get("teams"))
        for i, team in enumerate(belongs):
            if team not in teams:
                reader.unknown(f"{at}/teams/{i}", "team", team, teams)
        login = reader.text(f"{at}/login", entry.get("login")) or None
        if login is not None and logins.setdefault(login, name) != name:
            reader.bad(f"{at}/login", f"{logins[login]!r} has the login {login[:60]!r} too", "give it to one person")
        title = reader.text(f"{at}/title", entry.get("title")) or name
        attributes = reader.attributes(f"{at}/attributes", entry.get("attributes"))
        if not rejects(reader.findings[before:]):
            persons[name] = Person(name, title, belongs, attributes, login, document.place(at))
    return persons, teams, sorted(reader.findings)


def domain(
    document: Document, folder: str | None, policies: Mapping[str, str], *, mesh_name: str | None = None
) -> tuple[Domain | None, list[Finding]]:
    """The domain and every finding. `folder` is None for a domain's own repository; `policies` are its texts."""
    reader = _Reader(document)
    tree = reader.top(_DOMAIN)
    if tree is None:
        return None, reader.findings
    name = reader.name("/name", tree.get("name", folder), "domain")
    if folder is not None and name and name != folder:
        reader.bad("/name", f"the domain is named {name!r}, its folder {folder[:63]!r}", f"write name: {folder[:63]}")
    if name in RESERVED_DOMAINS or (mesh_name is not None and name == mesh_name):
        reader.found("/name", RESERVED, f"no domain can be called {name!r}", f"choose another, such as {name}_data")
    reader.text("/title", tree.get("title"))
    team = reader.text("/team", tree.get("team"))
    if not team and tree.get("team") is None:
        reader.bad("/team", "the domain names no owner team", "add team: TEAM")
    members = {}
    for person, at, value in reader.members("/members", tree.get("members")):
        roles = (value,) if isinstance(value, str) else reader.texts(at, value)
        for i, role in enumerate(roles):
            if role not in ROLES:
                reader.unknown(at if isinstance(value, str) else f"{at}/{i}", "role", role, ROLES)
        members[person] = tuple(roles)
    for connection, at, value in reader.members("/connections", tree.get("connections")):
        reader.name(at, connection, "connection", key=True)
        if (entry := reader.mapping(at, value)) is not None:
            if not isinstance(entry.get("kind"), str):
                reader.bad(at, f"connection {connection[:60]!r} says no kind", "add kind: postgres, s3, http, …")
            reader.secrets(at, entry)
    if isinstance(storage := tree.get("storage"), Mapping):
        reader.mapping("/storage", storage, _STORAGE)
        reader.secrets("/storage", storage)
    elif storage is not None:
        reader.bad("/storage", "storage is a mapping", "write storage: {kind: local}")
    reader.keep(tree.get("keep"))
    support = reader.text("/support", tree.get("support")) or None
    if rejects(reader.findings):
        return None, sorted(reader.findings)
    return Domain(name, team, members, support, tree, policies, document.place("")), sorted(reader.findings)


@dataclass(slots=True)
class _Reader:
    document: Document
    findings: list[Finding] = field(default_factory=list)
    nearest: Near = field(default_factory=Near)

    def found(self, at: str, slug: str, message: str, mend: str, *, key: bool = False) -> None:
        self.findings.append(Finding.at(self.document.place(at, key=key), slug, message, mend=mend))

    def bad(self, at: str, message: str, mend: str) -> None:
        self.found(at, BAD_VALUE, message, mend)

    def unknown(self, at: str, what: str, word: str, known: Sequence[str] | Mapping[str, Any]) -> None:
        near = self.nearest(word[:100], known) or list(known)[:10]
        self.bad(at, f"there is no {what} {word[:60]!r}", f"write {' or '.join(near)}" if near else f"add the {what}")

    def top(self, words: Sequence[str]) -> Mapping[str, Any] | None:
        # an empty file says nothing, and says nothing wrong
        return self.mapping("", {} if self.document.tree is None else self.document.tree, words)

    def mapping(self, at: str, value: Any, words: Sequence[str] | None = None) -> Mapping[str, Any] | None:
        if not isinstance(value, Mapping):
            what = at.rpartition("/")[2] or self.document.file
            self.bad(at, f"{what[:60]} is a mapping", f"write {words[0] if words else 'kind'}: …")
            return None
        for word in value if words is not None else ():
            if words is not None and word not in words:
                near = self.nearest(str(word)[:100], words) or list(words)
                mend = f"write one of: {', '.join(near)}"
                self.found(at + pointer(str(word)), UNKNOWN_KEY, f"there is no {str(word)[:60]!r} here", mend, key=True)
        return value

    def members(self, at: str, value: Any) -> list[tuple[str, str, Any]]:
        if value is None:
            return []
        if not isinstance(value, Mapping):
            self.bad(at, f"{at.rpartition('/')[2]} is a mapping of names", "write name: …")
            return []
        return [(str(name), at + pointer(str(name)), member) for name, member in value.items()]

    def text(self, at: str, value: Any) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        self.bad(at, f"{at.rpartition('/')[2]} is a text", "write it in quotes")
        return ""

    def texts(self, at: str, value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.bad(at, f"{at.rpartition('/')[2]} is a list of texts", "write [a, b]")
            return ()
        return tuple(value)

    def name(self, at: str, value: Any, what: str, *, key: bool = False) -> str:
        if value is None:
            self.bad(at, f"the {what} has no name", "add name: …")
        elif not isinstance(value, str) or not is_name(value):
            mend = f"write {slug(str(value)[:100])}"
            message = f"{str(value)[:60]!r} is no name for a {what}: lower case, digits, single underscores"
            self.found(at, BAD_VALUE, message, mend, key=key)
        else:
            return value
        return ""

    def id(self, at: str, value: str, what: str) -> None:
        if _ID.fullmatch(value) is None:
            mend = "use letters, digits and _ . @ -"
            self.found(at, BAD_VALUE, f"{value[:60]!a} is no name for a {what}", mend, key=True)

    def attributes(self, at: str, value: Any) -> Mapping[str, Any]:
        attributes = {}
        for name, here, given in self.members(at, value):
            plain = given if isinstance(given, list) else [given]
            if not all(isinstance(part, str | int | float | bool) for part in plain):
                self.bad(here, f"attribute {name[:60]!r} is no text, number, boolean or list of them", "write [a, b]")
                continue
            attributes[name] = tuple(plain) if isinstance(given, list) else given
        return attributes

    def secrets(self, at: str, tree: Mapping[str, Any]) -> None:
        for word, value in tree.items():
            if isinstance(value, str) and (held := _IN_ADDRESS.search(value)) and not is_variable(held[1]):
                mend = "write the address without it, and password: ${PASSWORD} beside it"
                self.found(at + pointer(str(word)), SECRET, f"{str(word)[:60]!r} holds a password in its address", mend)
                continue
            if _SECRET.search(str(word)) and isinstance(value, str) and not is_variable(value):
                mend = f"write {word}: ${{{str(word).upper()}}} and set it where the node runs"
                self.found(at + pointer(str(word)), SECRET, f"{str(word)[:60]!r} is written in the open", mend)

    def keep(self, value: Any) -> None:
        if value is None or (tree := self.mapping("/keep", value, _KEEP)) is None:
            return
        for word, length in tree.items():
            if word in _KEPT and seconds(length, "d" if isinstance(length, int) else None) is None:
                self.bad(
                    pointer("keep", str(word)), f"{str(length)[:40]!r} is no length of time", f"write {word}: 90 d"
                )
        keep_words.keep(tree, bad=lambda key, message, mend: self.bad(pointer("keep", key), message, mend))


def strangers(
    domain: Domain, persons: Mapping[str, Person], teams: Mapping[str, str], document: Document
) -> list[Finding]:
    """Warnings for an owner team and members of domain.yaml that people.yaml does not know."""
    reader = _Reader(document)
    if domain.team not in teams:
        reader.unknown("/team", "team", domain.team, teams)
    for member in domain.members:
        if member not in persons:
            reader.unknown(pointer("members", member), "person", member, persons)
    return [
        Finding.at(
            f.place, f.code, f.message, why="people.yaml does not know it", mend=f.mend, severity=Severity.WARNING
        )
        for f in reader.findings
    ]
