"""The tables of a home's store. A change here comes with a migration beside it."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()

# instants are ISO 8601 texts in UTC with microseconds, so that they sort as they are; values are canonical JSON
META = Table("meta", METADATA, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

BLOB = Table(
    "blob", METADATA, Column("sha256", String(64), primary_key=True), Column("body", LargeBinary, nullable=False)
)

PRODUCT = Table(
    "product",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("document_id", String(255), nullable=False),
    Column("status", String(32), nullable=False),
    Column("known_since", String(32), nullable=False),
    Column("current_publication", Integer),  # the only pointer to what readers see: a sequence number
)

PUBLICATION = Table(
    "publication",
    METADATA,
    Column("product", String(63), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("base", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # publish, rollback, default, retire
    Column("plan", String(64), nullable=False),
    Column("key", String(128), nullable=False),
    Column("lines", Text, nullable=False),
    Column("default_major", Integer, nullable=False),
    Column("main", Text, nullable=False),
    Column("bundle", String(64), nullable=False),
    Column("policies", String(64), nullable=False),
    Column("report", String(64)),
    Column("lineage", Text, nullable=False),
    Column("status", String(32), nullable=False),
    Column("by", String(255), nullable=False),
    Column("at", String(32), nullable=False),
    Column("signature", String(128), nullable=False),
    Column("main_followed", Boolean, nullable=False),
    Column("forgotten_at", String(32)),  # its data is no longer kept; `lines` is empty then
    Column("lines_sha256", String(64)),  # of the `lines` that were signed, once they are forgotten
    UniqueConstraint("product", "key", name="publication_is_idempotent"),
)

STAGE = Table(
    "stage",
    METADATA,
    Column("product", String(63), primary_key=True),
    Column("port", String(63), primary_key=True),
    Column("major", Integer, primary_key=True),
    Column("snapshot", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("bundle", String(64), nullable=False),
    Column("report", String(64)),
    Column("at", String(32), nullable=False),
)

REPORT = Table(
    "report",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("product", String(63), nullable=False),
    Column("body", Text, nullable=False),
    Column("samples", Text, nullable=False),  # kept apart: shown through the viewer's own decision only
    Column("at", String(32), nullable=False),
)

PLAN = Table(
    "plan",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("bundle", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("by", String(255), nullable=False),
    Column("at", String(32), nullable=False),
)

POLICY_SET = Table(
    "policy_set",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("files", Text, nullable=False),
    Column("at", String(32), nullable=False),
)

GRANT = Table(
    "grant",
    METADATA,
    Column("id", String(96), primary_key=True),
    Column("product", String(63), nullable=False),
    Column("whom", String(255), nullable=False),
    Column("columns", Text),
    Column("ceiling", String(63)),
    Column("purposes", Text, nullable=False),
    Column("since", String(32), nullable=False),
    Column("until", String(32), nullable=False),
    Column("revoked_at", String(32)),
    Column("by", String(255), nullable=False),
    Column("why", Text, nullable=False),
    Column("request", String(96)),
    Column("signature", String(128), nullable=False),
    Index("grant_by_product", "product"),
)

REQUEST = Table(
    "request",
    METADATA,
    Column("id", String(96), primary_key=True),
    Column("product", String(63), nullable=False),
    Column("whom", String(255), nullable=False),
    Column("columns", Text),
    Column("purpose", String(255)),
    Column("until", String(32), nullable=False),
    Column("why", Text, nullable=False),
    Column("by", String(255), nullable=False),
    Column("at", String(32), nullable=False),
    Column("status", String(16), nullable=False),  # waiting, approved, refused
    Column("decided_by", String(255)),
    Column("decided_at", String(32)),
    Column("note", Text),
    Column("grant", String(96)),
    Index("request_by_status", "status"),
)

EVENT = Table(
    "event",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False),
    Column("product", String(63)),
    Column("body", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("delivered", Boolean, nullable=False),
    Index("event_by_time", "at"),
)

FOLLOW = Table(
    "follow",
    METADATA,
    Column("whom", String(255), primary_key=True),
    Column("product", String(63), primary_key=True),
    Column("since", String(32), nullable=False),
)

RUN = Table(
    "run",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("verb", String(16), nullable=False),  # refresh, build, test, publish
    Column("by", String(255), nullable=False),
    Column("product", String(63), nullable=False),  # empty: several
    Column("because", String(16), nullable=False),  # schedule, input, person
    Column("state", String(16), nullable=False),  # waiting, running, done, failed, cancelled
    Column("due_at", String(32), nullable=False),
    Column("queued_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("ended_at", String(32)),
    Column("merged", Integer, nullable=False),  # further reasons that this run stands for
    Column("starts", Integer, nullable=False),  # more than one: the node ended meanwhile
    Column("sequence", Integer),  # of the publication that it made
    Column("result", Text),
    Column("error", Text),
    Index("run_by_product", "product", "number"),
    Index("run_by_state", "state"),
)

RUN_EVENT = Table(
    "run_event",
    METADATA,
    Column("run", Integer, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Text, nullable=False),
)

AUDIT_ENTRY = Table(
    "audit_entry",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("id", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("link", String(64), nullable=False),
    Index("audit_entry_by_time", "at"),
    Index("audit_entry_by_id", "id"),
)

AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("count", Integer, primary_key=True),
    Column("last", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("signature", String(128), nullable=False),
)
