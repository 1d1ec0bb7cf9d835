"""Questions in SQL: the hot path, so nothing stands between the socket and the step."""

from __future__ import annotations

from starlette.responses import Response

from hanse.node.steps.query import query as ask
from hanse.protocols.http.answers import respond
from hanse.protocols.http.call import Call
from hanse.protocols.http.formats import chosen
from hanse.protocols.http.routes import route

SQL_LENGTH = 256 * 1024


@route(
    "POST",
    "/query",
    "read",
    "Ask in SQL. JSON, NDJSON, CSV, Parquet or Arrow by Accept; all but JSON stream without a cap on rows.",
    body_bytes=1024 * 1024,
    body=("sql", "parameters", "purpose", "limit", "explain", "staged", "as_of"),
    hot=True,
)
async def query(call: Call) -> Response:
    format = chosen(call.header(b"accept"))
    body = await call.members()
    sql = body.needed("sql", most=SQL_LENGTH)
    parameters = body.parameters("parameters")
    purpose = body.text("purpose", most=63)
    limit = body.whole("limit")
    explain, staged = body.flag("explain"), body.flag("staged")
    as_of = body.instant("as_of", start=True)
    body.end()
    step = ask(
        call.node,
        call.ask(purpose),
        sql,
        parameters=parameters,
        limit=limit or None,
        explain=explain,
        staged=staged,
        as_of=as_of,
    )
    try:
        answer = await call.unless_gone(step)
        return await respond(call, answer, format)
    except Exception:
        call.api.metrics.queries.labels("refused").inc()
        raise
