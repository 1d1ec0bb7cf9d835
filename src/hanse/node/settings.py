"""The operator's settings: `.hanse/node.yaml` of the project, every key with a default."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hanse.engine.settings import MIB, EngineSettings
from hanse.engine.sources.egress import Egress
from hanse.errors import HanseError, Kind, code
from hanse.names import is_name, nearest
from hanse.node.failpoints import NONE, Failpoints
from hanse.node.variables import VARIABLES, Variables

FILE = Path(".hanse") / "node.yaml"
HTTP_PORT = 8470
_MOST_BYTES = 256 * 1024


class BadSettings(HanseError):
    kind = Kind.INVALID
    code = code(
        "settings.invalid",
        Kind.INVALID,
        "The node's settings cannot be used",
        "A misspelt setting must not be taken for its default, so the node does not start with one it does not know.",
        "Mend .hanse/node.yaml at the key that is named; the reference of settings lists all of them.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator of a node decides. `docs` of each field is its line in the reference."""

    project: Path
    homes: tuple[Path, ...] = field(
        default=(), metadata={"docs": "folders of homes to open; default: all in `.hanse/homes` and one a domain"}
    )
    roots: tuple[Path, ...] = field(
        default=(), metadata={"docs": "folders below which builds may read files; default: the project's folder"}
    )
    egress: tuple[str, ...] = field(
        default=(),
        metadata={
            "docs": "where sources may lie: `HOST:PORT`, `*.DOMAIN:PORT`, `ADDRESS/BITS:PORT` or a socket's folder; "
            "addresses that are not public only when listed themselves"
        },
    )
    trust_code: frozenset[str] = field(
        default=frozenset(),
        metadata={"docs": "domains whose Python transforms may run where the kernel cannot enclose them"},
    )
    stores: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"docs": "domain → URL of a PostgreSQL that keeps its store; default: SQLite in the home"},
    )
    host: str = field(default="127.0.0.1", metadata={"docs": "address to listen at; off loopback `tls` is demanded"})
    port: int = field(default=HTTP_PORT, metadata={"docs": "HTTP port"})
    certificate: Path | None = field(default=None, metadata={"docs": "PEM file of the TLS certificate"})
    key: Path | None = field(default=None, metadata={"docs": "PEM file of the TLS key, readable by its owner only"})
    audience: str = field(
        default="", metadata={"docs": "what tokens must be made for; default: `hanse:` and the mesh's name"}
    )
    drain_seconds: float = field(default=30.0, metadata={"docs": "how long a stopping node waits for what it began"})
    stage_grace_hours: float = field(
        default=24.0, metadata={"docs": "how long data that no publication names is kept before it is swept"}
    )
    clean_minutes: float = field(
        default=60.0, metadata={"docs": "how often a serving node forgets and deletes what `keep` lets go, minutes"}
    )
    freshness_seconds: float = field(
        default=60.0, metadata={"docs": "how often the age of data is compared with what contracts promise, seconds"}
    )
    runs_at_once: int = field(default=2, metadata={"docs": "runs of schedules that go on at once"})
    source_tries: int = field(
        default=5, metadata={"docs": "how often a scheduled run tries to reach a source that does not answer"}
    )
    source_wait_seconds: float = field(
        default=60.0, metadata={"docs": "how long it waits before the second try; then twice as long each time"}
    )
    engine: EngineSettings = field(default_factory=EngineSettings)
    variables: Variables = field(default=Variables(), repr=False)
    failpoints: Failpoints = NONE


# keys of the file → field; `limits` and `listen` group what belongs together
_TOP = (
    "homes", "roots", "egress", "trust_code", "stores", "audience", "drain_seconds", "stage_grace_hours",
    "clean_minutes", "freshness_seconds", "runs_at_once", "source_tries", "source_wait_seconds",
)  # fmt: skip
_LISTEN = {"host": "host", "port": "port"}
_TLS = {"certificate": "certificate", "key": "key"}
_LIMITS: Mapping[str, tuple[str, float, str]] = {
    "query_seconds": ("wall_seconds", 1, "seconds that one question may take"),
    "query_memory_mib": ("memory_bytes", MIB, "memory of one question, MiB"),
    "reply_mib": ("reply_bytes", MIB, "size of one streamed reply, MiB"),
    "stall_seconds": ("stall_seconds", 1, "seconds that a question waits for a slow reader"),
}
_ENGINE: Mapping[str, tuple[str, float, str]] = {
    "workers": ("workers", 1, "questions that run at once"),
    "threads": ("threads", 1, "threads of one question"),
    "waiting": ("waiting", 1, "questions that may wait for a worker"),
    "copies_mib": ("copy_bytes", MIB, "governed copies kept in one home, MiB"),
    "source_seconds": ("source_seconds", 1, "seconds that a source elsewhere may give nothing before it is too slow"),
    "source_mib": ("source_bytes", MIB, "size of what one reading of a source elsewhere may give, MiB"),
    "copy_at_once_mib": ("copy_at_once_bytes", MIB, "a larger table is streamed on its first governed read, MiB"),
}


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of the project in `root`; raise `BadSettings`, `UnsafeVariables`.

    Of the environment only HANSE_FAILPOINT and the variables of sources, HANSE_VARIABLE_…, are read.
    """
    try:
        failpoints = Failpoints.parse(environment.get("HANSE_FAILPOINT"))
    except ValueError as error:
        raise BadSettings(f"HANSE_FAILPOINT: {error}") from None
    machine = EngineSettings.for_machine(os.cpu_count() or 1)
    project = root.resolve()
    variables = Variables.read(environment, project / VARIABLES)
    plain = Settings(project, roots=(project,), engine=machine, failpoints=failpoints, variables=variables)
    tree = _tree(root / FILE)
    return _read(plain, tree) if tree else plain


def documented() -> list[tuple[str, str, str]]:
    """Every key of the file as (key, default, what), for the reference."""
    about = {one.name: one for one in fields(Settings)}
    plain = Settings(Path())
    told = [(name, _shown(getattr(plain, name)), about[name].metadata["docs"]) for name in _TOP]
    for group, names in (("listen", _LISTEN), ("listen.tls", _TLS)):
        told += [
            (f"{group}.{key}", _shown(getattr(plain, name)), about[name].metadata["docs"])
            for key, name in names.items()
        ]
    limits = plain.engine.limits
    told += [
        (f"limits.{key}", f"{getattr(limits, name) / unit:g}", what) for key, (name, unit, what) in _LIMITS.items()
    ]
    told += [
        (f"limits.{key}", "cores, at most 4" if key == "workers" else f"{getattr(plain.engine, name) / unit:g}", what)
        for key, (name, unit, what) in _ENGINE.items()
    ]
    return told


def _shown(value: Any) -> str:
    if value is None or value == "" or (isinstance(value, tuple | frozenset | Mapping) and not value):
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tree(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadSettings(f"{FILE} cannot be read: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise BadSettings(f"{FILE} is larger than {_MOST_BYTES} bytes")
    try:
        tree = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{FILE}:{mark.line + 1}:{mark.column + 1}" if mark else str(FILE)
        raise BadSettings(f"{FILE} is not YAML", where=where) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise BadSettings(f"{FILE} must map keys to values")
    return tree


def _read(plain: Settings, tree: Mapping[str, Any]) -> Settings:
    _known("", tree, (*_TOP, "listen", "limits"))
    listen = _group(tree, "listen", (*_LISTEN, "tls"))
    tls = _group(listen, "tls", tuple(_TLS))
    if tls and set(tls) != set(_TLS):
        raise BadSettings(f"{FILE}: listen.tls needs both certificate and key")
    limits = _group(tree, "limits", (*_LIMITS, *_ENGINE))
    project = plain.project
    reads: Mapping[str, Callable[[Any, str], Any]] = {
        "homes": lambda value, key: tuple(project / one for one in _texts(value, key)),
        "roots": lambda value, key: tuple((project / one).resolve() for one in _texts(value, key)),
        "egress": _egress,
        "trust_code": lambda value, key: frozenset(_names(_texts(value, key), key)),
        "stores": _stores,
        "audience": _text,
        "drain_seconds": _number,
        "stage_grace_hours": _number,
        "clean_minutes": _number,
        "freshness_seconds": _number,
        "runs_at_once": _count,
        "source_tries": _count,
        "source_wait_seconds": _number,
        "host": _text,
        "port": _port,
        "certificate": lambda value, key: project / _text(value, key),
        "key": lambda value, key: project / _text(value, key),
    }
    values = {name: reads[name](tree[name], name) for name in _TOP if name in tree}
    values |= {name: reads[name](listen[key], f"listen.{key}") for key, name in _LISTEN.items() if key in listen}
    values |= {name: reads[name](tls[key], f"listen.tls.{key}") for key, name in _TLS.items() if key in tls}
    engine = plain.engine
    bounds = {n: _scaled(engine.limits, n, u, limits[k], k) for k, (n, u, _) in _LIMITS.items() if k in limits}
    sizes = {n: _scaled(engine, n, u, limits[k], k) for k, (n, u, _) in _ENGINE.items() if k in limits}
    engine = replace(engine, limits=replace(engine.limits, **bounds), **sizes)
    return replace(plain, engine=engine, **values)


def _scaled(holder: object, name: str, unit: float, value: Any, key: str) -> Any:
    number = _number(value, f"limits.{key}") * unit
    return int(number) if isinstance(getattr(holder, name), int) else number


def _known(group: str, tree: Mapping[str, Any], known: Iterable[str]) -> None:
    known = tuple(known)
    for key in tree:
        if key not in known:
            near = nearest(str(key), known)
            raise BadSettings(
                f"{FILE}: {group}{key!s} is no setting",
                mend=f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}",
            )


def _group(tree: Mapping[str, Any], name: str, known: Iterable[str]) -> Mapping[str, Any]:
    found = tree.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadSettings(f"{FILE}: {name} must map keys to values")
    _known(f"{name}.", found, known)
    return found


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadSettings(f"{FILE}: {key} must be a text")
    return value


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadSettings(f"{FILE}: {key} must be a list of texts")
    return tuple(_text(one, key) for one in value)


def _names(values: tuple[str, ...], key: str) -> tuple[str, ...]:
    for value in values:
        if not is_name(value):
            raise BadSettings(f"{FILE}: {key}: {value[:80]!r} is not the name of a domain")
    return values


def _egress(value: Any, key: str) -> tuple[str, ...]:
    texts = _texts(value, key)
    try:
        return Egress.of(texts).texts()
    except ValueError as error:
        raise BadSettings(f"{FILE}: {key}: {error}") from None


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise BadSettings(f"{FILE}: {key} must be a number above 0")
    return float(value)


def _count(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise BadSettings(f"{FILE}: {key} must be a whole number, 1 to 1000")
    return value


def _port(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise BadSettings(f"{FILE}: {key} must be a port, 0 to 65535")
    return value


def _stores(value: Any, key: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadSettings(f"{FILE}: {key} must map domains to URLs")
    _names(tuple(map(str, value)), key)
    return {domain: _text(url, f"{key}.{domain}") for domain, url in value.items()}
