"""baseline.yaml: what is accepted is one rule, with a count, a reason and a last day."""

from __future__ import annotations

from datetime import date

import pytest

from hanse.node.contract_tests.accepted import accept
from hanse.spec.baseline import of_texts

TEXT = "accepted:\n  - rule: orders.amount.rule\n    count: 3\n    why: old rows\n    until: 2026-12-31\n"
DAY = date(2026, 12, 31)


def _report(count: int | None, status: str = "fail") -> dict[str, object]:
    return {
        "tables": [
            {
                "results": [
                    {
                        "id": "orders.amount.rule",
                        "status": status,
                        "count": count,
                        "value": None,
                        "operator": "mustBe",
                        "threshold": 0,
                        "message": "",
                    }
                ]
            }
        ]
    }


def _told(count: int | None, today: date = DAY, status: str = "fail") -> tuple[str, str]:
    [table] = accept(_report(count, status), of_texts({"baseline.yaml": TEXT}), today)["tables"]
    [result] = table["results"]
    return result["status"], result["message"]


def test_what_is_no_worse_is_a_warning_with_its_reason_until_its_day() -> None:
    assert _told(3) == ("warn", "accepted until 2026-12-31: old rows")
    assert _told(2)[0] == "warn"


def test_what_is_worse_or_after_its_day_fails_and_says_why() -> None:
    assert _told(4) == ("fail", "its baseline accepts 3")
    assert _told(3, date(2027, 1, 1)) == ("fail", "its baseline ended on 2026-12-31")
    assert _told(None)[0] == "fail"


def test_what_passes_is_left_as_it_is() -> None:
    assert _told(0, status="ok") == ("ok", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "a mapping with a list"),
        ("accepted: {}", "a mapping with a list"),
        ("accepted: [1]", "is no mapping"),
        (TEXT.replace("count: 3", "count: many"), "has no count"),
        (TEXT.replace("    why: old rows\n", ""), "says no reason"),
        (TEXT.replace("2026-12-31", "soon"), "has no last day"),
        (TEXT.replace("why:", "because:"), "'because' that is not known"),
    ],
)
def test_a_wrong_entry_is_a_finding_and_accepts_nothing(text: str, words: str) -> None:
    from hanse.spec.baseline import baseline
    from hanse.spec.document import load

    document, findings = load(text, "sales/orders/baseline.yaml")
    assert not findings
    assert document is not None
    accepted, wrong = baseline(document)
    assert accepted == ()
    assert any(words in one.message for one in wrong), wrong
    assert all(one.mend for one in wrong)
