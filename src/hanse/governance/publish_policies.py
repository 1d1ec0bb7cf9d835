"""Publish policies: SQL over the catalogue, each returned row is a violation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources

from hanse.errors import Finding, Kind, Place, code
from hanse.names import nearest

BAD_PUBLISH_POLICY = code(
    "policy.bad-publish-policy",
    Kind.INVALID,
    "A publish policy cannot be read",
    "A publish policy is one file: a header (policy, severity, says) and one SELECT over the catalogue that returns "
    "product, place and message of every violation.",
    "Begin the file with: -- policy: name",
)

_HEADER = re.compile(r"--\s*([A-Za-z]+)\s*:\s*(.*?)\s*\Z")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KEYS = ("policy", "severity", "says")
_SEVERITIES = ("block", "warn")
STARTER_FOLDER = "hanse:publish"


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """One policy: a violation of severity `block` stops publishing, one of `warn` is shown."""

    name: str
    severity: str  # block | warn
    description: str
    sql: str
    file: str
    line: int = 1  # where the SELECT begins

    @property
    def hash(self) -> str:
        """A hash of what the policy demands."""
        return sha256(f"{self.name}\n{self.severity}\n{self.sql}".encode()).hexdigest()


def parse(file: str, text: str) -> tuple[PublishPolicy | None, list[Finding]]:
    """Read one policy file; the SQL itself is checked where it runs."""
    findings: list[Finding] = []

    def told(line: int, message: str, mend: str = "") -> None:
        findings.append(Finding.at(Place(file, line), BAD_PUBLISH_POLICY, message, mend=mend))

    headers: dict[str, str] = {}
    last = ""
    lines = text.splitlines()
    body_line = 0
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if match := _HEADER.match(stripped):
            last = match[1].lower()
            if last not in _KEYS:
                told(
                    number, f"{last!r} is no word of the header", f"one of: {', '.join(nearest(last, _KEYS) or _KEYS)}"
                )
            elif last in headers:
                told(number, f"the header says {last} twice")
            headers[last] = match[2]
        elif stripped.startswith("--") and last == "says":
            headers["says"] = f"{headers['says']} {stripped.removeprefix('--').strip()}".strip()
        elif stripped and not stripped.startswith("--"):
            body_line = number
            break
    name = headers.get("policy", "")
    if not _NAME.fullmatch(name):
        told(1, f"{name!r} is no policy's name" if name else "the policy has no name", "-- policy: owner-is-named")
    severity = headers.get("severity", "block")
    if severity not in _SEVERITIES:
        told(1, f"severity {severity!r} is not known", f"nearest: {(nearest(severity, _SEVERITIES) or ['block'])[0]}")
    if not headers.get("says"):
        told(1, "the policy does not say what it wants", "-- says: every product names its owner")
    if not body_line:
        told(max(len(lines), 1), "the file has no SELECT", "select product, place, message from …")
    if findings:
        return None, findings
    sql = "\n".join(lines[body_line - 1 :]).strip()
    return PublishPolicy(name, severity, headers["says"], sql, file, body_line), []


@cache
def starter_pack() -> dict[str, str]:
    """The built-in policies as texts, by file name: what a new mesh begins with."""
    folder = resources.files("hanse.governance") / "policies" / "publish"
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".sql")
    }


@cache
def starter_policies() -> tuple[PublishPolicy, ...]:
    """The built-in policies, read."""
    read = [parse(f"{STARTER_FOLDER}/{name}", text)[0] for name, text in starter_pack().items()]
    return tuple(policy for policy in read if policy is not None)
