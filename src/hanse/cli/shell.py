"""`hanse shell`: a prompt for SQL, with completion of what you may know and a history of your own."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hanse.cli.state import state
from hanse.cli.transport import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit import PromptSession

    from hanse.client import Client

_STEM = re.compile(r"[\w.]*\Z")
_HELP = """\
A statement ends with ; and may run over several lines.
  show tables;                   what you may know of
  describe operations.flights;   its columns, as you would see them
  explain select …;              what would be read, and what policies do
  \\q or Ctrl D                   leave
"""


@click.command("shell")
@click.option("--purpose", help="Why: an id of the mesh's purposes, stated with every question.")
@click.pass_context
def command(ctx: click.Context, purpose: str | None) -> int:
    """Ask in SQL, statement by statement; Tab completes products and columns that you may know of.

    Without a terminal, statements are read from stdin and the first that is refused ends it.
    """
    client = connect(ctx)
    if not sys.stdin.isatty():
        for statement in _statements(sys.stdin.read()):
            _ask(client, statement, purpose, as_json=state(ctx).json)
        return 0
    who = client.get("/whoami")
    click.echo(f"{who['person']} at {client.address}. A statement ends with ;   \\? helps, Ctrl D leaves.", err=True)
    session = _session(client)
    while True:
        try:
            text = session.prompt([("bold", "hanse> ")]).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        if text in ("\\q", "quit;", "exit;"):
            return 0
        if text in ("\\?", "help;"):
            click.echo(_HELP, nl=False)
        elif text:
            _told(client, text, purpose)


def _told(client: Client, statement: str, purpose: str | None) -> None:
    """Answer one statement; what is refused is told, and the prompt comes back."""
    from hanse.cli.failures import tell
    from hanse.cli.state import State
    from hanse.client import HanseError

    try:
        _ask(client, statement, purpose)
    except HanseError as error:
        tell(error, ["shell"], State())
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


def _ask(client: Client, statement: str, purpose: str | None, *, as_json: bool = False) -> None:
    from hanse.cli.query import most_rows, show

    since = time.perf_counter()
    body = {"sql": statement.rstrip().rstrip(";"), "purpose": purpose, "limit": most_rows()}
    with client.stream("POST", "/query", body) as reply:
        answer = json.loads(reply.text())
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        show(answer, time.perf_counter() - since, cut=True)


def _statements(text: str) -> list[str]:
    """The statements of a text, cut where the engine cuts them; one that it cannot read stays whole."""
    import duckdb

    try:
        return [one.query for one in duckdb.extract_statements(text)]
    except duckdb.Error:
        return [text]


def is_whole(text: str) -> bool:
    """Whether Enter sends `text`: it ends with ; outside quotes and comments, or is a command of the shell."""
    said = text.strip()
    if not said or said.startswith("\\"):
        return True
    quote = ""
    at = 0
    while at < len(said):
        here = said[at]
        if quote:
            if said.startswith(quote, at):
                at += len(quote) - 1
                quote = ""
        elif here in "'\"":
            quote = here
        elif said.startswith("--", at):
            quote = "\n"
        elif said.startswith("/*", at):
            quote = "*/"
        at += 1
    return not quote and said.endswith(";")


def _session(client: Client) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    known = Known(client)

    class Completions(Completer):
        def get_completions(self, document: Document, complete_event: Any) -> Iterator[Completion]:
            stem = _STEM.search(document.text_before_cursor)[0]  # type: ignore[index]  # it matches the empty text
            for one in known.words(document.text, stem):
                yield Completion(one, -len(stem))

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        if is_whole(event.current_buffer.text):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return PromptSession(
        history=FileHistory(str(_history())), completer=Completions(), key_bindings=keys, multiline=True,
        complete_while_typing=False, prompt_continuation=[("", "   ... ")],
    )  # fmt: skip


def _history() -> Path:
    """The history's file: questions may name what they look for, so it is for nobody else's eyes."""
    from hanse.client.signins import keeping_file

    file = keeping_file().with_name("history")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    return file


class Known:
    """What can be completed: addresses you may discover, columns of those a statement names, words of SQL."""

    _SQL = (
        "select from where group by order by limit join left join using on having with as distinct count sum avg min "
        "max case when then else end between is null not in like at version timestamp show tables describe explain"
    )

    def __init__(self, client: Client) -> None:
        self._client = client
        self._addresses: list[str] | None = None
        self._columns: dict[str, list[str]] = {}

    def words(self, statement: str, stem: str) -> list[str]:
        """The completions of `stem` in `statement`: columns first, then addresses, then SQL."""
        low = stem.lower()
        columns = [name for one in self.addresses() if one in statement.lower() for name in self.columns(one)]
        known = [*dict.fromkeys(columns), *self.addresses(), *dict.fromkeys(self._SQL.split())]
        return [one for one in known if one.lower().startswith(low) and one != stem]

    def addresses(self) -> list[str]:
        """What SHOW TABLES lists, asked for once."""
        if self._addresses is None:
            self._addresses = self._first("show tables")
        return self._addresses

    def columns(self, address: str) -> list[str]:
        """What DESCRIBE tells of an address, asked for once; none where it is refused."""
        if address not in self._columns:
            self._columns[address] = self._first(f"describe {address}")
        return self._columns[address]

    def _first(self, sql: str) -> list[str]:
        from hanse.client import HanseError

        try:
            return [str(row[0]) for row in self._client.post("/query", {"sql": sql})["rows"]]
        except HanseError:
            return []
