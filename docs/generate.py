"""Writes docs/reference from the code, so that what is documented is what runs."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"


def pages() -> dict[str, str]:
    """Every page of the reference, by file name."""
    _import_all()
    return {
        "verbs.md": "".join(_verbs()),
        "codes.md": "".join(_codes()),
        "settings.md": "".join(_settings()),
        "events.md": "".join(_events()),
        "policies.md": "".join(_policies()),
        "http.md": "".join(_http()),
        "catalogue.md": "".join(_catalogue()),
        "../concepts/words.md": "".join(_words()),
    }


def _import_all() -> None:
    import hanse

    for module in pkgutil.walk_packages(hanse.__path__, "hanse."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)


def _verbs() -> Iterator[str]:
    import click

    from hanse.cli.main import main

    yield "# Verbs\n\nEvery verb takes the global flags; `hanse VERB --help` prints this page's text.\n"
    top = click.Context(main, info_name="hanse")

    def tell(command: click.Command, context: click.Context) -> Iterator[str]:
        yield f"\n## `{context.command_path}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
        if isinstance(command, click.Group) and not getattr(command, "is_alias", False):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None and not child.hidden:
                    yield from tell(child, click.Context(child, info_name=name, parent=context))

    yield from tell(main, top)


def _codes() -> Iterator[str]:
    from hanse.cli.failures import exit_code
    from hanse.errors import codes

    yield "# Error codes\n\nCodes never change. `hanse explain CODE` prints the same.\n\n"
    yield "| code | kind | exit | what | why | mend |\n|---|---|---|---|---|---|\n"
    for one in codes().values():
        yield f"| `{one.slug}` | {one.kind.value} | {exit_code(one.kind.value, one.slug)} | {_cell(one.title)} | {_cell(one.why)} | {_cell(one.mend)} |\n"


def _settings() -> Iterator[str]:
    from hanse.node import settings

    yield "# Settings\n\nThe operator's file `.hanse/node.yaml`; every key may be left out.\n\n"
    yield "| key | default | what |\n|---|---|---|\n"
    for key, default, what in settings.documented():
        yield f"| `{key}` | `{_cell(default)}` | {_cell(what)} |\n"


def _events() -> Iterator[str]:
    from hanse.node import events

    yield "# Events\n\nWhat homes tell, in order, under `/api/v1/events`; and what a run tells while it goes on.\n\n"
    yield "| event | when |\n|---|---|\n"
    for name, when in sorted(events.EVENTS.items()):
        yield f"| `{name}` | {_cell(when)} |\n"


def _policies() -> Iterator[str]:
    root = files("hanse.governance") / "policies"
    yield "# Policies that come with hanse\n\n## Access\n\nAlways loaded; a project's own policies are added to them.\n\n"
    yield f"```text\n{(root / 'base.cedar').read_text().rstrip()}\n```\n\n## Publish\n"
    for path in sorted((root / "publish").iterdir(), key=lambda one: one.name):
        yield f"\n### {path.name.removesuffix('.sql')}\n\n```sql\n{path.read_text().rstrip()}\n```\n"


def _http() -> Iterator[str]:
    from hanse.protocols.http import routes

    yield "# HTTP\n\nBase path `/api/v1` unless the path says otherwise. Errors are problem details (RFC 9457).\n\n"
    yield "| method | path | action | what |\n|---|---|---|---|\n"
    for route in routes.documented():
        yield f"| {route.method} | `{route.path}` | {route.action} | {_cell(route.what)} |\n"


def _catalogue() -> Iterator[str]:
    from hanse.governance.catalog import CATALOG

    yield "# The catalogue\n\nThe tables of `mesh.catalog`, each reader seeing the rows that they may know of; a publish policy asks the\n"
    yield "same tables as `catalog.products` and so on, with the candidate laid over what is published.\n"
    for table in CATALOG.values():
        yield f"\n## {table.name}\n\n{table.says}\n\n| column | type | what |\n|---|---|---|\n"
        for name, type_, what in table.columns:
            yield f"| `{name}` | `{type_}` | {_cell(what)} |\n"


def _words() -> Iterator[str]:
    from hanse.cli.words import WORDS

    yield "# Words\n\nEach has one meaning, everywhere. Examples are of the flights mesh. `hanse explain words` prints the same.\n"
    for one in WORDS:
        yield f"\n## {one.word}\n\n{one.meaning}\n\nExample: {one.example}\n"
        if one.otherwise:
            yield f"\nNot to be confused: {one.otherwise}\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").strip()


def main() -> None:
    """Write the pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)
        print(f"docs/reference/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
