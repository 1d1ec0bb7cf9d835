"""The audit chain: whatever is edited, taken out, moved or cut off is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.governance.chain import (
    GENESIS,
    ChainEntry,
    Head,
    canonical,
    link,
    sign_head,
    verify_chain,
    verify_head,
)
from hanse.governance.keys import new_key, public_pem

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = new_key()
PUBLIC = public_pem(KEY)


def chain(count: int, word: str = "read") -> list[ChainEntry]:
    entries: list[ChainEntry] = []
    previous = GENESIS
    for number in range(1, count + 1):
        entry = {"who": "person:ada", "what": word, "n": number}
        previous = link(previous, entry)
        entries.append(ChainEntry(number, entry, previous))
    return entries


def head(entries: list[ChainEntry], chain: str = "home/1") -> Head:
    return sign_head(KEY, chain=chain, count=len(entries), last=entries[-1].link if entries else GENESIS, at=NOW)


def faults(entries: list[ChainEntry], *heads: Head) -> list[str]:
    return [fault.what for fault in verify_chain(entries, heads, PUBLIC)]


def test_a_whole_chain_has_no_fault() -> None:
    entries = chain(20)
    assert faults(entries, head(entries[:5]), head(entries)) == []
    assert faults([], head([])) == []
    assert faults(chain(22), head(entries)) == []


def test_an_edited_entry_is_found_at_its_number() -> None:
    entries = chain(5)
    entries[2] = replace(entries[2], entry={**entries[2].entry, "who": "person:eve"})
    (fault,) = verify_chain(entries, [head(chain(5))], PUBLIC)
    assert (fault.number, fault.what) == (3, "edited")


def test_a_chain_written_anew_is_found_by_its_head() -> None:
    assert faults(chain(5, "wrote"), head(chain(5))) == ["edited"]


def test_a_removed_entry_is_found_also_when_the_rest_is_numbered_anew() -> None:
    entries = chain(5)
    assert "missing" in faults(entries[:1] + entries[2:], head(entries))
    renumbered = [replace(entry, number=number) for number, entry in enumerate(entries[:1] + entries[2:], 1)]
    assert set(faults(renumbered, head(entries))) == {"edited", "cut"}
    assert "missing" in faults(entries[1:], head(entries))


def test_reordered_and_repeated_entries_are_found() -> None:
    entries = chain(5)
    assert "reordered" in faults([*entries[:1], entries[2], entries[1], *entries[3:]], head(entries))
    assert "reordered" in faults([*entries, entries[-1]], head(entries))


def test_a_cut_tail_is_found_by_the_signed_count() -> None:
    entries = chain(5)
    (fault,) = verify_chain(entries[:3], [head(entries[:2]), head(entries)], PUBLIC)
    assert (fault.number, fault.what) == (4, "cut")
    assert "4 to 5" in fault.message
    assert faults([], head(entries)) == ["cut"]


def test_a_forged_head_is_found() -> None:
    entries = chain(5)
    good = head(entries)
    for bad in (
        replace(good, count=4),
        replace(good, last=entries[0].link),
        replace(good, at=datetime(2027, 1, 1, tzinfo=UTC)),
        replace(good, chain="home/2"),
        replace(good, signature="AAAA"),
        replace(good, signature="ü"),
        sign_head(new_key(), chain="home/1", count=5, last=entries[-1].link, at=NOW),
    ):
        assert not verify_head(bad, PUBLIC)
        assert "forged-head" in faults(entries, bad)
    assert verify_head(good, KEY)


def test_heads_of_another_chain_do_not_pass() -> None:
    entries = chain(3)
    assert "forged-head" in faults(entries, head(entries), head(entries, "home/2"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_change_of_a_sworn_chain_is_noticed(data: st.DataObject) -> None:
    entries = chain(8)
    kind = data.draw(st.sampled_from(["edit", "remove", "swap", "cut", "relink"]))
    place = data.draw(st.integers(0, 6))
    changed = list(entries)
    if kind == "edit":
        changed[place] = replace(changed[place], entry={**changed[place].entry, "x": data.draw(st.integers())})
    elif kind == "remove":
        del changed[place]
    elif kind == "swap":
        changed[place], changed[place + 1] = changed[place + 1], changed[place]
    elif kind == "cut":
        changed = changed[:place]
    else:
        changed[place] = replace(changed[place], link="f" * 64)
    assert faults(changed, head(entries)) != []


def test_entries_are_canonical_and_what_json_cannot_say_is_refused() -> None:
    assert canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    assert link(GENESIS, {"a": 1, "b": 2}) == link(GENESIS, {"b": 2, "a": 1})
    with pytest.raises(ValueError):
        canonical({"x": float("nan")})
