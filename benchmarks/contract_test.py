"""`hanse test --contract` against one DuckDB process that computes the same checks in one scan.

CPU and peak memory of whole processes, children included, measured in turn; one JSON line for each size. The bars:
CPU at most 2.5 times at 0.3 million rows and 1.3 times at 10 million, peak memory at most 1.2 times.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _measure import EXAMPLE, HANSE, tell

ROWS = int(os.environ.get("HANSE_BENCH_ROWS", "10000000"))

FLIGHTS_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: bench-flights
name: flights
version: 1.0.0
status: active
servers: [{{server: here, type: local, path: '{path}', format: parquet}}]
schema:
  - name: flights
    quality:
      - {{metric: rowCount, mustBeBetween: [300000, 400000]}}
    properties:
      - {{name: year, logicalType: integer, required: true, logicalTypeOptions: {{minimum: 2013, maximum: 2013}}}}
      - {{name: month, logicalType: integer, required: true, logicalTypeOptions: {{minimum: 1, maximum: 12}}}}
      - {{name: day, logicalType: integer, required: true, logicalTypeOptions: {{minimum: 1, maximum: 31}}}}
      - name: sched_dep_time
        logicalType: integer
        required: true
        logicalTypeOptions: {{minimum: 1, maximum: 2400}}
      - name: dep_delay
        logicalType: integer
        quality: [{{metric: nullValues, unit: percent, mustBeLessThan: 5}}]
      - name: carrier
        logicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 2
        logicalTypeOptions: {{pattern: '^[A-Z0-9]{{2}}$'}}
      - {{name: flight, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 3}}
      - {{name: time_hour, logicalType: timestamp, required: true, primaryKey: true, primaryKeyPosition: 1}}
      - name: tailnum
        logicalType: string
        logicalTypeOptions: {{maxLength: 6}}
        quality: [{{metric: nullValues, unit: percent, mustBeLessThan: 1}}]
      - name: origin
        logicalType: string
        required: true
        quality: [{{metric: invalidValues, arguments: {{validValues: [EWR, JFK, LGA]}}, mustBe: 0}}]
      - {{name: dest, logicalType: string, required: true, logicalTypeOptions: {{minLength: 3, maxLength: 3}}}}
      - name: distance
        logicalType: integer
        required: true
        logicalTypeOptions: {{minimum: 1, exclusiveMaximum: 6000}}
"""
FLIGHTS_SQL = """\
SELECT count(*), count(*) FILTER (year IS NULL), count(*) FILTER (year < 2013), count(*) FILTER (year > 2013),
  count(*) FILTER (month IS NULL), count(*) FILTER (month < 1), count(*) FILTER (month > 12),
  count(*) FILTER (day IS NULL), count(*) FILTER (day < 1), count(*) FILTER (day > 31),
  count(*) FILTER (sched_dep_time IS NULL), count(*) FILTER (sched_dep_time < 1),
  count(*) FILTER (sched_dep_time > 2400), count(*) FILTER (dep_delay IS NULL), count(*) FILTER (carrier IS NULL),
  count(*) FILTER (NOT regexp_matches(carrier, '^[A-Z0-9]{2}$')), count(*) FILTER (flight IS NULL),
  count(*) FILTER (time_hour IS NULL), count(*) FILTER (tailnum IS NULL), count(*) FILTER (length(tailnum) > 6),
  count(*) FILTER (origin IS NULL), count(*) FILTER (origin NOT IN ('EWR', 'JFK', 'LGA')),
  count(*) FILTER (dest IS NULL), count(*) FILTER (length(dest) < 3), count(*) FILTER (length(dest) > 3),
  count(*) FILTER (distance IS NULL), count(*) FILTER (distance < 1), count(*) FILTER (distance >= 6000),
  count(DISTINCT (time_hour, carrier, flight))
FROM '{path}'
"""
LARGE_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: bench-large
name: lines
version: 1.0.0
status: active
servers: [{{server: here, type: local, path: '{path}', format: parquet}}]
schema:
  - name: lines
    quality:
      - {{metric: rowCount, mustBeGreaterThan: 0}}
    properties:
      - {{name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}}
      - {{name: code, logicalType: string, required: true, unique: true, logicalTypeOptions: {{maxLength: 16}}}}
      - {{name: kind, logicalType: integer, required: true, logicalTypeOptions: {{minimum: 0, maximum: 4}}}}
      - name: currency
        logicalType: string
        required: true
        quality: [{{metric: invalidValues, arguments: {{validValues: [EUR, SEK, PLN]}}, mustBe: 0}}]
      - {{name: price, logicalType: number, logicalTypeOptions: {{minimum: 0, exclusiveMaximum: 1000}}}}
      - name: day
        logicalType: date
        required: true
        logicalTypeOptions: {{minimum: '2020-01-01', maximum: '2030-01-01'}}
"""
LARGE_SQL = """\
SELECT count(*), count(*) FILTER (id IS NULL), count(DISTINCT id), count(*) FILTER (code IS NULL),
  count(DISTINCT code), count(*) FILTER (length(code) > 16), count(*) FILTER (kind IS NULL),
  count(*) FILTER (kind < 0), count(*) FILTER (kind > 4), count(*) FILTER (currency IS NULL),
  count(*) FILTER (currency NOT IN ('EUR', 'SEK', 'PLN')), count(*) FILTER (price < 0),
  count(*) FILTER (price >= 1000), count(*) FILTER (day IS NULL), count(*) FILTER (day < DATE '2020-01-01'),
  count(*) FILTER (day > DATE '2030-01-01')
FROM '{path}'
"""
# no key is in order: neither side may profit from sorted data
GENERATE = """\
COPY (SELECT (i * 7919) % {rows} AS id, 'ol-' || ((i * 104729) % {rows}) AS code, (hash(i) % 5)::INTEGER AS kind,
  ['EUR', 'SEK', 'PLN'][1 + (hash(i * 3) % 3)::INTEGER] AS currency, (hash(i * 7) % 100000) / 100.0::DOUBLE AS price,
  DATE '2020-01-01' + (hash(i * 11) % 3000)::INTEGER AS day FROM range({rows}) t(i)) TO '{path}' (FORMAT parquet)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process and its children took: seconds of CPU, and MiB at the peak."""

    cpu: float
    peak: float


def cost(command: list[str]) -> Cost:
    """Run `command`, which must end with 0, and say what it took."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def compare(name: str, contract: str, sql: str, path: Path, *, times: int, bar: float) -> None:
    """Measure both sides in turn and tell the ratio of their medians."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "bench.odcs.yaml")
        file.write_text(contract.format(path=path))
        # the least that any tool needs: one process, one engine, one scan, the row printed
        script = f"import duckdb; print(duckdb.execute({sql!r}).fetchone())"
        ours, theirs = [str(HANSE), "test", "--contract", str(file)], [sys.executable, "-c", script]
        pairs = [(cost(ours), cost(theirs)) for _ in range(times + 1)][1:]  # the first pair warms the page cache
    mine = Cost(statistics.median(a.cpu for a, _ in pairs), statistics.median(a.peak for a, _ in pairs))
    other = Cost(statistics.median(b.cpu for _, b in pairs), statistics.median(b.peak for _, b in pairs))
    ratio, memory = mine.cpu / other.cpu, mine.peak / other.peak
    tell(
        f"contract-test-{name}", ratio=ratio, bar=bar, ok=ratio <= bar and memory <= 1.2, hanse_cpu=mine.cpu,
        duckdb_cpu=other.cpu, memory_ratio=memory, hanse_mib=mine.peak, duckdb_mib=other.peak,
    )  # fmt: skip


def main() -> None:
    import duckdb

    flights = EXAMPLE / "data" / "flights.parquet"
    compare("flights", FLIGHTS_CONTRACT, FLIGHTS_SQL.replace("{path}", str(flights)), flights, times=7, bar=2.5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lines.parquet")
        duckdb.execute(GENERATE.format(rows=ROWS, path=path))
        compare("10m", LARGE_CONTRACT, LARGE_SQL.replace("{path}", str(path)), path, times=3, bar=1.3)


if __name__ == "__main__":
    main()
