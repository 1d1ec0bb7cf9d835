"""The search index in the node's own `node.db`: thrown away and made again whenever it is missing or damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hanse.names import ProductId, TableId
from hanse.node.finding.remembered import Remembered
from hanse.node.finding.spelling import Spelling
from hanse.node.finding.texts import texts

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Published

LOG = logging.getLogger("hanse.search")
T = TypeVar("T")
_FORM = 1  # of what is kept: an index of another form is made anew
_TABLES = """
CREATE TABLE listed (
    number INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, product TEXT NOT NULL,
    major INTEGER NOT NULL, name TEXT NOT NULL, made_of TEXT NOT NULL
);
CREATE INDEX listed_by_product ON listed (domain, product);
CREATE VIRTUAL TABLE words USING fts5(title, id, columns, tags, people, text, tokenize = 'ascii', prefix = '1 2 3');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row');
"""
# the six ranks of `Texts.rank`; all words are folded and parted before they come here, so a word needs no escape
_RANKED = " UNION ALL ".join(
    f"SELECT rowid AS number, {rank} AS rank FROM words WHERE words MATCH '{form}'"
    for rank, form in enumerate(
        (
            'title : ^ "%WORD%" *',
            'id : "%WORD%"',
            '{title id} : "%WORD%" *',
            'columns : "%WORD%" *',
            'tags : "%WORD%" *',
            '{people text} : "%WORD%" *',
        )
    )
)
_RANKED = f"SELECT domain, number, min(rank) FROM ({_RANKED}) JOIN listed USING (number) GROUP BY number"


class SearchIndex:
    """Which tables hold a word, and how well it fits. It follows the homes, one product at a time."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._homes: dict[str, Home] = {}
        self._followed: dict[str, tuple[object, object]] = {}
        self._made_of: dict[ProductId, str] = {}
        self._numbers: dict[TableId, int] = {}
        self._spelling: Spelling | None = None
        self._thread: threading.Thread | None = None
        self._listed: Remembered[Mapping[int, TableId]] = Remembered()
        self.people: Remembered[list[tuple[str, tuple[str, ...]]]] = Remembered()  # of domains, with their roles
        self.links: Remembered[tuple[Mapping[str, ProductId], Mapping[ProductId, tuple[str, ...]]]] = Remembered()

    def start(self, homes: Mapping[str, Home]) -> None:
        """Take in what `homes` publish in a thread of its own, so that the first search need not wait for it."""
        self._thread = threading.Thread(target=self._start, args=(homes,), name="search", daemon=True)
        self._thread.start()

    def _start(self, homes: Mapping[str, Home]) -> None:
        try:
            self.follow(homes)
        except Exception:  # the first search tries again, and tells whoever asks
            LOG.exception("the search index could not be made")

    def close(self) -> None:
        """Let go of the file."""
        if self._thread is not None:
            self._thread.join()
        self._release()

    def _release(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def follow(self, homes: Mapping[str, Home]) -> None:
        """Take in what `homes` published since the last call, and nothing else."""
        with self._lock:
            self._homes |= homes
            self._done(self._follow_all)

    def ranks(self, word: str) -> dict[str, list[tuple[int, int]]]:
        """By domain the numbers of the tables that hold a folded word, or one that begins so, with the match's rank."""
        asked = _RANKED.replace("%WORD%", word)
        with self._lock:
            found = self._done(lambda connection: connection.execute(asked).fetchall())
        ranks: dict[str, list[tuple[int, int]]] = {}
        for domain, number, rank in found:
            ranks.setdefault(domain, []).append((number, rank))
        return ranks

    def near(self, word: str) -> list[str]:
        """All known words that look like `word`, best first. Whoever asks may not know of each of them."""
        with self._lock:
            if self._spelling is None:
                self._spelling = self._done(
                    lambda connection: Spelling(term for (term,) in connection.execute("SELECT term FROM vocabulary"))
                )
            spelling = self._spelling
        return spelling.near(word)

    def listed(self, tables: frozenset[TableId]) -> Mapping[int, TableId]:
        """`tables` by their number."""
        numbers = self._numbers
        return self._listed(lambda: {numbers[one]: one for one in tables if one in numbers}, numbers, tables)

    def _follow_all(self, connection: sqlite3.Connection) -> None:
        for home in self._homes.values():
            self._follow(connection, home)

    def _follow(self, connection: sqlite3.Connection, home: Home) -> None:
        published, team = home.published(), home.team
        held = self._followed.get(home.domain)
        if held is not None and held[0] is published and held[1] is team:
            return
        people = sorted(team.members) if team is not None else []
        now = {id: _made_of(one, people) for id, one in published.items()}
        gone = [id for id in self._made_of if id.domain == home.domain and id not in now]
        changed = [id for id, made_of in now.items() if self._made_of.get(id) != made_of]
        if gone or changed:
            self._numbers = dict(self._numbers)
            self._spelling = None
            with connection:
                for id in (*gone, *changed):
                    self._drop(connection, id)
                for id in changed:
                    self._put(connection, published[id], people, now[id])
        self._followed[home.domain] = (published, team)

    def _put(self, connection: sqlite3.Connection, one: Published, people: list[str], made_of: str) -> None:
        id = one.product.id
        for line, state in one.lines.items():
            for table in state.contract.tables:
                found = texts(one, line, table, people)
                number = connection.execute(
                    "INSERT INTO listed (domain, product, major, name, made_of) VALUES (?, ?, ?, ?, ?)",
                    (id.domain, id.name, line.major, table.name, made_of),
                ).lastrowid
                connection.execute(
                    "INSERT INTO words (rowid, title, id, columns, tags, people, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (number, found.title, found.id, found.columns, found.tags, found.people, found.text),
                )
                assert number is not None
                self._numbers[TableId(id, line.major, table.name)] = number
        self._made_of[id] = made_of

    def _drop(self, connection: sqlite3.Connection, id: ProductId) -> None:
        if self._made_of.pop(id, None) is None:
            return
        rows = connection.execute(
            "SELECT number, major, name FROM listed WHERE domain = ? AND product = ?", (id.domain, id.name)
        ).fetchall()
        for number, major, name in rows:
            connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
            connection.execute("DELETE FROM listed WHERE number = ?", (number,))
            self._numbers.pop(TableId(id, major, name), None)

    def _done(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` gives; an index that is damaged or cannot be written is made anew, at last in memory."""
        for last in (False, True):
            try:
                return work(self._opened())
            except sqlite3.DatabaseError as error:
                LOG.warning("the search index is made anew: %s", error)
                self._release()
                if self._path is not None:
                    _removed(self._path)
                if last:
                    self._path = None
                self._follow_all(self._opened())
        return work(self._opened())

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connected(self._path)
            self._made_of, self._numbers, self._followed, self._spelling = {}, {}, {}, None
            rows = self._connection.execute("SELECT number, domain, product, major, name, made_of FROM listed")
            for number, domain, product, major, name, made_of in rows:
                id = ProductId(domain, product)
                self._made_of[id] = made_of
                self._numbers[TableId(id, major, name)] = number
        return self._connection


def _made_of(one: Published, people: list[str]) -> str:
    """What a product's words depend on."""
    return hashlib.sha256(json.dumps([one.bundle, one.domain_team, people]).encode()).hexdigest()


def _connected(path: Path | None) -> sqlite3.Connection:
    """The index at `path`, made if it is not there whole; in memory where no file can be kept."""
    if path is not None:
        try:
            return _with_tables(_on_disk(path))
        except (sqlite3.DatabaseError, OSError):
            _removed(path)
        try:
            return _with_tables(_on_disk(path))
        except (sqlite3.DatabaseError, OSError) as error:
            LOG.warning("the search index is kept in memory: %s", error)
    return _with_tables(sqlite3.connect(":memory:", check_same_thread=False))


def _on_disk(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # names of closed products are in it: for its owner only
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # it can be made again
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(said)
    except BaseException:
        connection.close()
        raise
    return connection


def _with_tables(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        if number == 0:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_FORM}; COMMIT;")
        elif number != _FORM:
            raise sqlite3.DatabaseError(f"it has form {number}, not {_FORM}")
    except BaseException:
        connection.close()
        raise
    return connection


def _removed(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        with suppress(OSError):  # where it cannot be removed it cannot be opened either
            path.with_name(path.name + end).unlink(missing_ok=True)
