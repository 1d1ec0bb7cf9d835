"""The operator's settings: every key has a default, and a misspelt one is not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.node.settings import BadSettings, documented, load


def write(root: Path, text: str) -> Path:
    (root / ".hanse").mkdir()
    (root / ".hanse/node.yaml").write_text(text)
    return root


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert (settings.host, settings.port, settings.roots) == ("127.0.0.1", 8470, (tmp_path.resolve(),))
    assert settings.engine.workers >= 1


def test_every_documented_key_can_be_set(tmp_path: Path) -> None:
    text = """
homes: [elsewhere/sales]
roots: [data, ../more]
egress: ["db.example:5432", "10.0.0.0/8:5432"]
trust_code: [sales]
stores: {sales: postgresql+psycopg://localhost/hanse}
audience: hanse:small
drain_seconds: 5
stage_grace_hours: 1
clean_minutes: 30
freshness_seconds: 5
runs_at_once: 1
source_tries: 3
source_wait_seconds: 10
listen: {host: 0.0.0.0, port: 9000, tls: {certificate: tls/cert.pem, key: tls/key.pem}}
limits: {query_seconds: 5, query_memory_mib: 256, reply_mib: 10, stall_seconds: 3, workers: 1, threads: 1, waiting: 9,
         copies_mib: 100, copy_at_once_mib: 7, source_seconds: 3, source_mib: 100}
"""
    settings = load(write(tmp_path, text), {})
    root = tmp_path.resolve()
    assert settings.homes == (root / "elsewhere/sales",)
    assert settings.roots == (root / "data", root.parent / "more")
    assert (settings.host, settings.port, settings.key) == ("0.0.0.0", 9000, root / "tls/key.pem")
    assert settings.engine.limits.memory_bytes == 256 * 1024 * 1024
    assert (settings.engine.workers, settings.engine.copy_at_once_bytes) == (1, 7 * 1024 * 1024)
    assert (settings.runs_at_once, settings.source_tries, settings.source_wait_seconds) == (1, 3, 10)
    keys = {key for key, _, _ in documented()}
    assert all(key.split(".")[-1] in text for key in keys)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rots: [data]", "rots is no setting"),
        ("listen: {prt: 1}", "listen.prt is no setting"),
        ("limits: {workers: many}", "limits.workers must be a number"),
        ("limits: {workers: 0}", "limits.workers must be a number above 0"),
        ("listen: {port: 70000}", "must be a port"),
        ("listen: {tls: {key: k.pem}}", "needs both certificate and key"),
        ("trust_code: [Sales]", "not the name of a domain"),
        ("roots: data", "must be a list"),
        ("egress: [db.example]", "has no port: write HOST:PORT"),
        ('egress: ["db example:1"]', "names no host"),
        ("- a", "must map keys to values"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadSettings, match=told):
        load(write(tmp_path, text), {})


def test_a_misspelt_key_gets_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as error:
        load(write(tmp_path, "audence: x"), {})
    assert error.value.mend == "did you mean audience?"


def test_a_failpoint_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path, {"HANSE_FAILPOINT": "P7:sigkill"}).failpoints.on == (("P7", "sigkill"),)
    for text in ("P77:sigkill", "P7:explode", "P7"):
        with pytest.raises(BadSettings):
            load(tmp_path, {"HANSE_FAILPOINT": text})
