"""Rows of one table, page by page, through the same step as any question."""

from __future__ import annotations

import json
import re

from starlette.responses import Response

from hanse.engine.answer import Answer
from hanse.names import is_name, quote
from hanse.node.steps.query import query as ask
from hanse.protocols.http.answers import respond
from hanse.protocols.http.call import Call
from hanse.protocols.http.errors import BadRequest
from hanse.protocols.http.formats import chosen
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import Seen, UnknownProduct
from hanse.protocols.http.types import limit_of, number_of, product_of

_ORDER = re.compile(r"(-?)(.+)", re.DOTALL)


@route(
    "GET",
    "/products/{domain}/{product}/tables/{table}/rows",
    "read",
    "Rows of a table: select=a,b  where=SQL predicate  order=a,-b  limit, cursor; formats by Accept.",
    parameters=("select", "where", "order", "limit", "cursor", "major", "purpose"),
)
async def rows(call: Call) -> Response:
    format = chosen(call.header(b"accept"))
    params = call.params
    id, table = product_of(call.path["domain"], call.path["product"]), call.path["table"]
    request = call.ask(params.get("purpose"))
    seen = Seen.of(call.node, request, id)
    major = number_of("major", params.get("major"), seen.publication.default_major)
    if not is_name(table) or not any(f.id.table == table and f.id.major == major for f in seen.tables):
        raise UnknownProduct(id)
    limit = limit_of(params.get("limit"), 1000)
    asked = [str(id), table, major, *(params.get(name, "") for name in ("select", "where", "order"))]
    binding = json.dumps([call.principal.id, asked])
    start, sequence = 0, seen.publication.sequence
    if "cursor" in params:
        # later pages read the publication of the first, so that none is told twice or left out
        position = call.api.cursors.open(params["cursor"], binding)
        start, sequence = int(position["at"]), int(position["publication"])
    sql = (
        f"SELECT {_columns(params.get('select'))} FROM {id.domain}.{quote(f'{id.name}_v{major}')}.{quote(table)}"
        f" AT (VERSION => {sequence}){_where(params.get('where'))}{_order(params.get('order'))}"
        f" LIMIT {limit} OFFSET {start}"
    )
    answer = await call.unless_gone(ask(call.node, request, sql))

    def following(answer: Answer) -> dict[str, str | None]:
        position = {"at": start + limit, "publication": sequence}
        return {"next": call.api.cursors.seal(position, binding) if answer.rows == limit else None}

    return await respond(call, answer, format, following)


def _columns(text: str | None) -> str:
    if text is None:
        return "*"
    names = text.split(",")
    if len(names) > 1000 or not all(names):
        raise BadRequest("select names columns, separated by commas")
    return ", ".join(quote(name) for name in names)


def _where(text: str | None) -> str:
    if text is None:
        return ""
    if len(text) > 64 * 1024:
        raise BadRequest("where is longer than 64 KiB")
    # on lines of its own, so that a comment at its end swallows nothing; the gate reads the whole
    return f" WHERE (\n{text}\n)"


def _order(text: str | None) -> str:
    if not text:
        return ""
    parts = []
    for word in text.split(",")[:100]:
        match = _ORDER.fullmatch(word)
        if match is None:
            raise BadRequest("order names columns, separated by commas; - before a name turns it round")
        parts.append(f"{quote(match[2])} {'DESC' if match[1] else 'ASC'}")
    return f" ORDER BY {', '.join(parts)}"
