"""CLI, docs and errors keep to the words of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hanse.cli.explain import all_codes
from hanse.cli.main import main
from hanse.cli.words import WORDS, find

ROOT = Path(__file__).parents[2]
# what people say elsewhere, and the word that is meant
OTHERS = {
    r"endpoints?": "listen address, or protocol",
    r"data ?sets?": "product, or table",
    r"permissions?": "grant, or access policy",
    r"entitlements?": "grant",
    r"data ports?": "output port",
    r"quality checks?": "rule",
    r"listen(ing)? ports?": "listen address",
    r"service level agreements?|SLAs?": "service level",
    r"data owners?": "owner of the domain",
}
# a port alone is an output or input port, where descriptors are spoken of; a TCP port belongs to a listen address
DESCRIPTORS = ("name.", "version.", "port.", "product.", "project.", "plan.", "contract.", "input.")
CODE = re.MULTILINE | re.DOTALL
PORT = re.compile(r"(?<!output )(?<!input )(?<!TCP )(?<!--)\bports?\b(?! lines?)", re.IGNORECASE)


def _told() -> Iterator[tuple[str, str]]:
    for one in all_codes().values():
        yield from ((one.slug, text) for text in (one.title, one.why, one.mend))
    yield from _help(main, click.Context(main), "hanse")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        if page.parent.name not in ("reference", "decisions"):
            prose = re.sub(r"^```.*?^```$", lambda block: "\n" * block[0].count("\n"), page.read_text(), flags=CODE)
            for number, line in enumerate(prose.splitlines(), 1):
                yield f"{page.name}:{number}", re.sub(r"`[^`]*`", "", line)


def _help(command: click.Command, context: click.Context, path: str) -> Iterator[tuple[str, str]]:
    yield path, command.help or ""
    yield from ((path, getattr(parameter, "help", None) or "") for parameter in command.params)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _help(child, click.Context(child, info_name=name, parent=context), f"{path} {name}")


TOLD = [(where, " ".join(text.split())) for where, text in _told()]


@pytest.mark.parametrize("other", OTHERS)
def test_another_word_is_used_for_no_word_of_ours(other: str) -> None:
    pattern = re.compile(rf"\b({other})\b", re.IGNORECASE)
    found = [(where, text) for where, text in TOLD if pattern.search(text)]
    assert not found, f"say {OTHERS[other]}: {found}"


def test_a_port_is_what_is_promised_and_never_a_listen_address() -> None:
    found = [(where, text) for where, text in TOLD if not where.startswith(DESCRIPTORS) and PORT.search(text)]
    found = [one for one in found if not one[0].startswith(("words.md", "mesh.md"))]
    assert not found, f"say output port, port line or listen address: {found}"


def test_each_word_has_a_meaning_and_an_example_and_is_found_as_people_write_it() -> None:
    for one in WORDS:
        assert one.meaning.endswith(".")
        assert one.example
        assert find(f"{one.word.replace(' ', '-').capitalize()}s") is one
    assert find("port-line") is not None
    assert find("nothing of ours") is None


def test_each_product_of_an_example_is_there() -> None:
    for one in WORDS:
        for domain, product in re.findall(r"\b([a-z_]+)/([a-z_]+)(?:@\d+)?\b(?![/.])", one.example):
            assert (ROOT / "examples" / "flights" / domain / product).is_dir(), one.example


def test_the_words_that_newcomers_ask_for_are_there() -> None:
    asked = "port line, version, snapshot, publication, protocol, grant, rule, policy, output port, listen address"
    assert {word.strip() for word in asked.split(",")} <= {one.word for one in WORDS}
