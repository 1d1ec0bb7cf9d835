"""The store of a home: what is kept, in transactions. Rules about what may happen live in the steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hanse.names import PortLine, ProductId
from hanse.node.home import codec, tables
from hanse.node.home.codec import instant, moment, text
from hanse.node.home.database import Database
from hanse.node.home.event_log import EventLog
from hanse.node.home.rows import once, put
from hanse.node.home.values import KnownProduct, Publication, Stage

Clock = Callable[[], datetime]


class Store(EventLog):
    """Publications, stages, plans, reports, policy sets, bundles and events of one domain."""

    def __init__(self, database: Database, domain: str, clock: Clock) -> None:
        super().__init__(database, clock)
        self.domain = domain
        self.generation = 0  # rises with each change of what readers may see

    # -- what is small and global

    def next_number(self, connection: Connection, counter: str) -> int:
        """The next number of `counter`, from 1; it is used up only if the transaction is."""
        held = connection.scalar(sa.select(tables.META.c.value).where(tables.META.c.key == f"count-{counter}"))
        number = int(held or 0) + 1
        self.put_meta(connection, f"count-{counter}", str(number))
        return number

    # -- bundles

    def put_blob(self, body: bytes, connection: Connection | None = None) -> str:
        """Keep `body` under its SHA-256, once; return that."""
        digest = hashlib.sha256(body).hexdigest()
        if connection is not None:
            once(connection, tables.BLOB, {"sha256": digest}, {"body": body})
        else:
            with self.database.write() as own:
                once(own, tables.BLOB, {"sha256": digest}, {"body": body})
        return digest

    def blob(self, digest: str) -> bytes | None:
        with self.database.read() as connection:
            return connection.scalar(sa.select(tables.BLOB.c.body).where(tables.BLOB.c.sha256 == digest))

    def put_texts(self, files: Mapping[str, str], connection: Connection | None = None) -> str:
        """Keep a bundle of texts by path."""
        return self.put_blob(text(dict(files)).encode("utf-8", "surrogatepass"), connection)

    def texts(self, digest: str) -> dict[str, str] | None:
        body = self.blob(digest)
        return None if body is None else json.loads(body)

    # -- products

    def know(self, connection: Connection, product: ProductId, document_id: str, status: str) -> None:
        """Accept a product as a principal; one that is published already keeps its status."""
        found = connection.scalar(
            sa.select(tables.PRODUCT.c.current_publication).where(tables.PRODUCT.c.name == product.name)
        )
        values = {"document_id": document_id} if found is not None else {"document_id": document_id, "status": status}
        put(connection, tables.PRODUCT, {"name": product.name}, values, {"known_since": instant(self.clock())})

    def products(self) -> dict[ProductId, KnownProduct]:
        with self.database.read() as connection:
            rows = connection.execute(sa.select(tables.PRODUCT).order_by(tables.PRODUCT.c.name)).all()
        known = {}
        for row in rows:
            id = ProductId(self.domain, row.name)
            known[id] = KnownProduct(id, row.document_id, row.status, moment(row.known_since), row.current_publication)
        return known

    # -- publications

    def publication(self, product: ProductId, sequence: int) -> Publication | None:
        return self._one_publication(product, tables.PUBLICATION.c.sequence == sequence)

    def publication_by_key(self, product: ProductId, key: str) -> Publication | None:
        """The publication that a plan or a refresh made, if it did."""
        return self._one_publication(product, tables.PUBLICATION.c.key == key)

    def publication_at(self, product: ProductId, at: datetime) -> Publication | None:
        """The publication that was current at `at`."""
        table = tables.PUBLICATION
        wanted = sa.select(table).where(table.c.product == product.name, table.c.at <= instant(at))
        with self.database.read() as connection:
            row = connection.execute(wanted.order_by(table.c.sequence.desc()).limit(1)).one_or_none()
        return None if row is None else self._publication(row)

    def last_sequence(self, product: ProductId) -> int:
        """The number of the newest publication of a product, 0 before the first."""
        table = tables.PUBLICATION
        with self.database.read() as connection:
            found = connection.scalar(sa.select(sa.func.max(table.c.sequence)).where(table.c.product == product.name))
        return int(found or 0)

    def published_at(self, product: ProductId) -> tuple[datetime, ...]:
        """When a product was published, in order, forgotten publications too."""
        table = tables.PUBLICATION
        wanted = sa.select(table.c.at).where(table.c.product == product.name).order_by(table.c.sequence)
        with self.database.read() as connection:
            return tuple(moment(row.at) for row in connection.execute(wanted))

    def publications(self, product: ProductId) -> list[Publication]:
        """The publications of a product, oldest first."""
        table = tables.PUBLICATION
        wanted = sa.select(table).where(table.c.product == product.name).order_by(table.c.sequence)
        with self.database.read() as connection:
            return [self._publication(row) for row in connection.execute(wanted)]

    def retired(self, product: ProductId) -> dict[int, datetime]:
        """When each major of a product was last taken out of service by its owner; it may be back since."""
        columns = tables.PUBLICATION.c
        wanted = sa.select(columns.key, columns.at).where(
            columns.product == product.name, columns.key.like("retire-%-%")
        )
        with self.database.read() as connection:
            ended = connection.execute(wanted.order_by(columns.sequence)).all()
        return {int(row.key.rpartition("-")[2]): moment(row.at) for row in ended}

    def pointers(self) -> dict[ProductId, int]:
        """The number of the publication that readers get, of every product that has one."""
        columns = tables.PRODUCT.c
        wanted = sa.select(columns.name, columns.current_publication).where(columns.current_publication.is_not(None))
        with self.database.read() as connection:
            return {ProductId(self.domain, row.name): row.current_publication for row in connection.execute(wanted)}

    def current(self, products: Collection[ProductId] | None = None) -> dict[ProductId, Publication]:
        """The publication that readers get, of every product that has one, or of `products`."""
        table, product = tables.PUBLICATION, tables.PRODUCT
        wanted = sa.select(table).join(
            product, (product.c.name == table.c.product) & (product.c.current_publication == table.c.sequence)
        )
        if products is not None:
            wanted = wanted.where(product.c.name.in_([one.name for one in products]))
        with self.database.read() as connection:
            found = [self._publication(row) for row in connection.execute(wanted)]
        return {one.product: one for one in found}

    def append(self, connection: Connection, publication: Publication) -> bool:
        """Append a publication and move the one pointer, if it still stands at its base; False when it does not."""
        product = tables.PRODUCT
        at_base = product.c.current_publication
        moved = connection.execute(
            sa.update(product)
            .where(product.c.name == publication.product.name)
            .where(at_base.is_(None) if publication.base == 0 else at_base == publication.base)
            .values(current_publication=publication.sequence, status=publication.status)
        )
        if moved.rowcount != 1:
            return False
        connection.execute(
            sa.insert(tables.PUBLICATION).values(
                product=publication.product.name,
                sequence=publication.sequence,
                base=publication.base,
                kind=publication.kind,
                plan=publication.plan,
                key=publication.key,
                lines=codec.lines(publication.lines),
                default_major=publication.default_major,
                main=text({str(major): name for major, name in publication.main.items()}),
                bundle=publication.bundle,
                policies=publication.policies,
                report=publication.report,
                lineage=text(dict(publication.lineage)),
                status=publication.status,
                by=publication.by,
                at=instant(publication.at),
                signature=publication.signature,
                main_followed=False,
            )
        )
        return True

    def main_followed(self, product: ProductId, sequence: int) -> None:
        """Remember that Iceberg's main stands at this publication."""
        table = tables.PUBLICATION
        with self.database.write() as connection:
            connection.execute(
                sa.update(table)
                .where(table.c.product == product.name, table.c.sequence == sequence)
                .values(main_followed=True)
            )

    def forget(self, connection: Connection, product: ProductId, sequences: Collection[int]) -> None:
        """Let go of the data of former publications; that they were made, and how they were signed, stays."""
        table = tables.PUBLICATION
        chosen = (table.c.product == product.name, table.c.sequence.in_(sequences), table.c.forgotten_at.is_(None))
        for row in connection.execute(sa.select(table.c.sequence, table.c.lines).where(*chosen)).all():
            connection.execute(
                sa.update(table)
                .where(table.c.product == product.name, table.c.sequence == row.sequence)
                .values(
                    lines="[]",
                    lines_sha256=hashlib.sha256(row.lines.encode()).hexdigest(),
                    forgotten_at=instant(self.clock()),
                )
            )

    def _one_publication(self, product: ProductId, condition: sa.ColumnElement[bool]) -> Publication | None:
        wanted = sa.select(tables.PUBLICATION).where(tables.PUBLICATION.c.product == product.name, condition)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else self._publication(row)

    def _publication(self, row: Row[Any]) -> Publication:
        product = ProductId(self.domain, row.product)
        return Publication(
            product,
            row.sequence,
            row.base,
            row.kind,
            row.plan,
            row.key,
            codec.read_lines(product, row.lines),
            row.default_major,
            {int(major): name for major, name in json.loads(row.main).items()},
            row.bundle,
            row.policies,
            row.status,
            row.by,
            moment(row.at),
            row.report,
            json.loads(row.lineage),
            row.signature,
            row.main_followed,
            None if row.forgotten_at is None else moment(row.forgotten_at),
            row.lines_sha256,
        )

    # -- stages and reports

    def put_stage(self, product: ProductId, line: PortLine, snapshot: Any, fingerprint: str, bundle_hash: str) -> None:
        """Keep the stage of a port line; it takes the place of an earlier one, whose report goes with it."""
        key = {"product": product.name, "port": line.port, "major": line.major}
        values = {
            "snapshot": text(codec.snapshot(snapshot)),
            "fingerprint": fingerprint,
            "bundle": bundle_hash,
            "report": None,
            "at": instant(self.clock()),
        }
        with self.database.write() as connection:
            put(connection, tables.STAGE, key, values)

    def stage(self, product: ProductId, line: PortLine) -> Stage | None:
        return self.stages(product).get(line)

    def stages(self, product: ProductId | None = None) -> dict[PortLine, Stage]:
        """The stages that wait, of one product or of all."""
        wanted = sa.select(tables.STAGE)
        if product is not None:
            wanted = wanted.where(tables.STAGE.c.product == product.name)
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        found = {}
        for row in rows:
            line = PortLine(ProductId(self.domain, row.product), row.port, row.major)
            stored = codec.read_snapshot(json.loads(row.snapshot))
            found[line] = Stage(line, stored, row.fingerprint, row.bundle, moment(row.at), row.report)
        return found

    def drop_stages(self, product: ProductId, connection: Connection) -> None:
        connection.execute(sa.delete(tables.STAGE).where(tables.STAGE.c.product == product.name))

    def drop_stale_stages(self, before: datetime) -> None:
        """Forget the stages that have waited since before `before`."""
        with self.database.write() as connection:
            connection.execute(sa.delete(tables.STAGE).where(tables.STAGE.c.at < instant(before)))

    def put_report(
        self, product: ProductId, body: Mapping[str, Any], samples: Any = None, lines: Iterable[PortLine] = ()
    ) -> str:
        """Keep a test report, its samples apart, and note it on the stages of `lines`; return its id."""
        said = text(dict(body))
        id = hashlib.sha256(f"{product}\n{instant(self.clock())}\n{said}".encode()).hexdigest()
        with self.database.write() as connection:
            once(
                connection,
                tables.REPORT,
                {"id": id},
                {"product": product.name, "body": said, "samples": text(samples), "at": instant(self.clock())},
            )
            for line in lines:
                connection.execute(
                    sa.update(tables.STAGE)
                    .where(
                        tables.STAGE.c.product == product.name,
                        tables.STAGE.c.port == line.port,
                        tables.STAGE.c.major == line.major,
                    )
                    .values(report=id)
                )
        return id

    def report(self, id: str) -> dict[str, Any] | None:
        """A test report, without its samples."""
        with self.database.read() as connection:
            body = connection.scalar(sa.select(tables.REPORT.c.body).where(tables.REPORT.c.id == id))
        return None if body is None else json.loads(body)

    def samples(self, id: str) -> Any:
        """The sample keys of a report; show them through the viewer's own decision only."""
        with self.database.read() as connection:
            body = connection.scalar(sa.select(tables.REPORT.c.samples).where(tables.REPORT.c.id == id))
        return None if body is None else json.loads(body)

    # -- plans and policy sets

    def put_plan(self, id: str, bundle: str, body: Mapping[str, Any], by: str, connection: Connection) -> None:
        values = {"bundle": bundle, "body": text(dict(body)), "by": by, "at": instant(self.clock())}
        once(connection, tables.PLAN, {"id": id}, values)

    def plan(self, id: str) -> tuple[str, dict[str, Any]] | None:
        """The bundle's digest and the body of the plan with this id or, if it is the only one, this beginning."""
        wanted = sa.select(tables.PLAN).where(tables.PLAN.c.id.startswith(id, autoescape=True)).limit(2)
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        return (rows[0].bundle, json.loads(rows[0].body)) if len(rows) == 1 else None

    def put_policy_set(self, files: Mapping[str, str], connection: Connection) -> str:
        """Keep the texts of governance under their hash and make them the effective ones."""
        said = text(dict(files))
        digest = hashlib.sha256(said.encode()).hexdigest()
        once(connection, tables.POLICY_SET, {"hash": digest}, {"files": said, "at": instant(self.clock())})
        self.put_meta(connection, "policies", digest)
        return digest

    def policy_set(self, digest: str) -> dict[str, str] | None:
        with self.database.read() as connection:
            said = connection.scalar(sa.select(tables.POLICY_SET.c.files).where(tables.POLICY_SET.c.hash == digest))
        return None if said is None else json.loads(said)
