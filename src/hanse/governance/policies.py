"""The policies that hold for one domain: the federation's and its own, read once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from hanse.errors import Finding, Kind, Place, code, rejects
from hanse.governance import cedar, masks, publish_policies, row_policies
from hanse.governance.masks import MaskRule
from hanse.governance.publish_policies import PublishPolicy
from hanse.governance.row_policies import RowPolicy

UNKNOWN_FILE = code(
    "policy.unknown-file",
    Kind.INVALID,
    "A file among the policies is none",
    "A policy that is not read would be believed to hold.",
    "Policies are access/*.cedar, rows/*.sql, publish/*.sql and masks.yaml.",
)

DEFAULT_CLASSIFICATIONS = ("public", "internal", "restricted")


@dataclass(frozen=True, slots=True, eq=False)
class Policies:
    """All policies of one domain, federation first; equal hashes are equal policies."""

    hash: str
    domain: str
    classifications: tuple[str, ...]
    access: cedar.AccessPolicies
    masks: tuple[MaskRule, ...]
    rows: tuple[RowPolicy, ...]
    publish: tuple[PublishPolicy, ...]

    def __hash__(self) -> int:
        return hash(self.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policies) and self.hash == other.hash

    def level(self, classification: str | None) -> int:
        """The place of a class from 0; none, or an unknown one, is the strictest."""
        known = self.classifications
        return known.index(classification) if classification in known else len(known) - 1

    def is_sensitive(self, level: int) -> bool:
        """Whether a class lies above `internal`; where no class is called so, above all but the strictest."""
        known = self.classifications
        limit = known.index("internal") if "internal" in known else len(known) - 2
        return level > limit


def load(
    global_files: Mapping[str, str], domain: str, domain_files: Mapping[str, str], classifications: Sequence[str]
) -> tuple[Policies, list[Finding]]:
    """Read the policies of the federation and of `domain`, keys like `access/x.cedar`, with every finding.

    The federation's come first and a local one can only tighten what they say: forbid wins in Cedar, and of two
    masks the stricter. With an error among access, masks or rows the set refuses everything.
    """
    classes = tuple(classifications) or DEFAULT_CLASSIFICATIONS
    findings: list[Finding] = []
    rules: list[MaskRule] = []
    rows: list[RowPolicy] = []
    publish: list[PublishPolicy] = []
    access: list[tuple[str, str]] = []
    for folder, files, own in (("policies/", global_files, None), (f"{domain}/policies/", domain_files, domain)):
        for path, text in sorted(files.items()):
            file = folder + path
            kind = _kind(path)
            if kind == "access":
                access.append((file, text))
            elif kind == "masks":
                read, found = masks.load(file, text, classes, own)
                rules += read
                findings += found
            elif kind == "rows":
                row, found = row_policies.load(file, text, own)
                rows += [row] if row is not None else []
                findings += found
            elif kind == "publish":
                policy, found = publish_policies.parse(file, text)
                publish += [policy] if policy is not None else []
                findings += found
            elif not path.lower().endswith((".md", ".txt")):
                mend = "access/*.cedar, rows/*.sql, publish/*.sql or masks.yaml"
                findings.append(Finding.at(Place(file), UNKNOWN_FILE, "the file is no policy", mend=mend))
    closed = rejects(finding for finding in findings if finding.code != publish_policies.BAD_PUBLISH_POLICY)
    access_set, found = cedar.read(access, closed=closed)
    findings += found
    findings += _repeated(publish)
    policies = Policies(
        _hash(global_files, domain, domain_files, classes),
        domain,
        classes,
        access_set,
        tuple(rules),
        tuple(rows),
        tuple(publish),
    )
    return policies, sorted(findings)


def _kind(path: str) -> str | None:
    if path == "masks.yaml":
        return "masks"
    folder, _, name = path.partition("/")
    ending = {"access": ".cedar", "rows": ".sql", "publish": ".sql"}.get(folder)
    return folder if ending is not None and name.endswith(ending) else None


def _repeated(policies: Iterable[PublishPolicy]) -> list[Finding]:
    seen: dict[str, PublishPolicy] = {}
    findings = []
    for policy in policies:
        if policy.name in seen:
            told = f"policy {policy.name!r} is written twice, also in {seen[policy.name].file}"
            findings.append(
                Finding.at(Place(policy.file), publish_policies.BAD_PUBLISH_POLICY, told, mend="rename one")
            )
        seen.setdefault(policy.name, policy)
    return findings


def _hash(global_files: Mapping[str, str], domain: str, domain_files: Mapping[str, str], classes: Sequence[str]) -> str:
    parts = [
        cedar.base_text(), cedar.schema_text(), list(classes), domain,
        dict(sorted(global_files.items())), dict(sorted(domain_files.items())),
    ]  # fmt: skip
    return sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
