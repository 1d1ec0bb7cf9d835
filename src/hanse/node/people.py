"""The people of the built-in issuer: people.yaml, read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hanse.errors import HanseError, Kind, code, rejects
from hanse.governance.decision import Principal, PrincipalKind
from hanse.governance.identity import Claims, TokenRefused
from hanse.governance.keys import new_key
from hanse.spec.model import Person


class BadPeople(HanseError):
    kind = Kind.INVALID
    code = code(
        "identity.bad-people",
        Kind.INVALID,
        "people.yaml cannot be read",
        "Who is in which team decides what may be seen, so a file with errors is not guessed at.",
        "hanse validate tells each error with its place.",
    )


class People(Mapping[str, Person]):
    """Persons by name. A changed file is read at the next look-up; one with errors keeps the former state."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._persons: Mapping[str, Person] = {}
        self._refresh(first=True)

    def __getitem__(self, name: str) -> Person:
        self._refresh()
        return self._persons[name]

    def __iter__(self) -> Iterator[str]:
        self._refresh()
        return iter(self._persons)

    def __len__(self) -> int:
        self._refresh()
        return len(self._persons)

    def principal(self, claims: Claims) -> Principal:
        """The person a token speaks of; `TokenRefused` when people.yaml no longer has them."""
        person = self.get(claims.subject)
        if person is None:
            raise TokenRefused("the token is for nobody that people.yaml knows")
        return Principal(
            PrincipalKind.PERSON, person.name, frozenset(person.teams), person.attributes, frozenset(claims.scopes)
        )

    def _refresh(self, *, first: bool = False) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._persons = None, {}
            return
        seen = (status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        from hanse.spec.project import project

        read, findings = project({"people.yaml": self._path.read_text(encoding="utf-8")})
        wrong = [finding for finding in findings if finding.file == "people.yaml" and rejects([finding])]
        if wrong and first:
            raise BadPeople(f"{wrong[0].place}: {wrong[0].message}", mend=wrong[0].mend or "hanse validate")
        if not wrong:
            self._persons = read.people
        self._seen = seen


def issuer_key(path: Path) -> bytes:
    """The private key of the built-in issuer, made at first use; only its owner may read the file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    key = new_key()
    with os.fdopen(handle, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


ISSUER = "urn:hanse:issuer"  # the built-in issuer of a project


def audience(mesh: str) -> str:
    """Whom the tokens of a mesh are for, unless the operator says otherwise."""
    return f"hanse:{mesh}"
