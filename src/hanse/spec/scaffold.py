"""The first files of a mesh project, and of a domain in it: texts only, nothing is written here."""

from __future__ import annotations


def first_files(domain: str, person: str, login: str) -> dict[str, str]:
    """Path → text of a new mesh with one domain, whose owner is `person`, in the order of writing."""
    return {
        "people.yaml": f"teams:\n  {domain}: {{title: {_title(domain)}}}\n"
        "# one line a person; login is the name a person has in the operating system\n"
        f"people:\n  {person}: {{teams: [{domain}], login: {_quoted(login)}}}\n",
        ".gitignore": ".hanse/\n",
        **domain_files(domain, person),
        # last: it marks the folder as a mesh, so a run that was interrupted is finished by the next
        "mesh.yaml": f"name: {domain}_mesh\n"
        "# from least to most strict; a column without one counts as the strictest\n"
        "classifications: [public, internal, restricted]\n",
    }


def domain_files(domain: str, person: str) -> dict[str, str]:
    """Path → text of a domain that `person` owns."""
    return {f"{domain}/domain.yaml": f"name: {domain}\nteam: {domain}\nmembers:\n  {person}: [owner]\n"}


def _title(name: str) -> str:
    return _quoted(name.replace("_", " ").capitalize())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
