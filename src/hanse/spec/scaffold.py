"""The first files of a mesh project, and of a domain in it: texts only, nothing is written here."""

from __future__ import annotations

_ACCESS = """\
// What stands here binds every domain: a forbid wins over every permit. Without a rule nobody may anything.

@id("agents-never-unmask-restricted")
@says("a program that answers for a person never sees restricted values")
forbid (principal, action == Action::"unmask", resource)
when { resource.classification == "restricted" && context.protocol == "mcp" };
"""
_MASKS = """\
# How a column looks to those who may not see it clear: hash, null, hide, {last: 4}, {truncate: year}, {bucket: 10} …
- {name: restricted-by-hash, classification: restricted, mask: hash}
"""


def first_files(domain: str, person: str, login: str, support: str = "") -> dict[str, str]:
    """Path → text of a new mesh with one domain, whose owner is `person`, in the order of writing."""
    return {
        "policies/access/federation.cedar": _ACCESS,
        "policies/masks.yaml": _MASKS,
        "people.yaml": f"teams:\n  {domain}: {{title: {_title(domain)}}}\n"
        "# one line a person; login is the name a person has in the operating system\n"
        f"people:\n  {person}: {{teams: [{domain}], login: {_quoted(login)}}}\n",
        ".gitignore": ".hanse/\n",
        **domain_files(domain, person, support),
        # last: it marks the folder as a mesh, so a run that was interrupted is finished by the next
        "mesh.yaml": f"name: {domain}_mesh\n"
        "# from least to most strict; a column without one counts as the strictest\n"
        "classifications: [public, internal, restricted]\n"
        "# what a request for access may say it is for, and on which ground\n"
        "purposes:\n"
        "  reporting: {text: Reports and figures, basis: legitimate interest}\n"
        "  operations: {text: Running the daily business, basis: contract}\n"
        "  quality: {text: Checking that data fit together, basis: legitimate interest}\n",
    }


def domain_files(domain: str, person: str, support: str = "") -> dict[str, str]:
    """Path → text of a domain that `person` owns; `support` is where its readers get help, an address."""
    said = (
        f"support: {_quoted(support)}" if support else "# support: https://…  # where readers get help: a policy asks"
    )
    return {f"{domain}/domain.yaml": f"name: {domain}\nteam: {domain}\n{said}\nmembers:\n  {person}: [owner]\n"}


def _title(name: str) -> str:
    return _quoted(name.replace("_", " ").capitalize())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
