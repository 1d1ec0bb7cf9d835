"""What a node counts, in Prometheus' words."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of one node; labels hold routes and states, never a person, product or statement."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "hanse_http_requests", "Requests answered.", ("route", "method", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "hanse_http_seconds",
            "Seconds to the end of an answer.",
            ("route",),
            buckets=_BOUNDS,
            registry=self._registry,
        )
        self.open = Gauge("hanse_http_open", "Requests being answered.", registry=self._registry)
        self.queries = Counter("hanse_queries", "Questions, by outcome.", ("outcome",), registry=self._registry)
        self.rows = Counter("hanse_query_rows", "Rows answered.", registry=self._registry)
        self.runs = Counter("hanse_runs", "Runs that ended.", ("verb", "state"), registry=self._registry)
        self.refused = Counter("hanse_tokens_refused", "Tokens that were not accepted.", registry=self._registry)

    def text(self) -> bytes:
        """All of them in the text format."""
        return bytes(generate_latest(self._registry))
