"""Which class a column is proposed, by its name and the shapes of its texts, with the reason; a person confirms it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SHAPED = 0.5  # of the values that are there
_SHAPES: Mapping[str, str] = {
    "email": "its texts look like e-mail addresses",
    "phone": "its texts look like telephone numbers",
    "iban": "its texts look like account numbers",
    "ip": "its texts look like network addresses",
    "card": "its texts look like card numbers",
}
_NAMES: tuple[tuple[str, str], ...] = (
    (r"e_?mail|mail_address", "its name speaks of e-mail"),
    (r"phone|mobile|telephone|telefon|fax", "its name speaks of telephones"),
    (r"(first|last|middle|full|sur|family|given|maiden|nick|user|customer|person|contact|owner|holder)_?name|"
     r"vorname|nachname|customer|patient|employee|passenger|guest", "its name speaks of persons"),
    (r"birth|dob|geburt|gender|sex|age|religion|nationality|ethnic|marital", "its name speaks of what a person is"),
    (r"ip_?(addr|address)?|mac_?address|device_?id|cookie|session_?id|user_?agent|imei", "its name speaks of a device"),
    (r"street|address|zip|postal|postcode|plz|house_?no|latitude|longitude|geo",
     "its name speaks of where somebody is"),
    (r"iban|bic|account_?(no|number)|credit|card|cvv|salary|wage|income|payroll",
     "its name speaks of somebody's money"),
    (r"ssn|social_?security|tax_?(id|no|number)|passport|licen[cs]e_?(no|number|plate)|national_?id|insurance",
     "its name speaks of an official number"),
    (r"password|passwd|secret|token|api_?key|private_?key|pin|otp", "its name speaks of a secret"),
    (r"diagnos(is|es|e)|disease|medic(al|ation|ine)|health|blood|treatment|symptom", "its name speaks of health"),
)  # fmt: skip


def reason(name: str, shapes: Mapping[str, float]) -> str | None:
    """Why a column may tell of a person or a secret; None when nothing says so."""
    for shape, said in _SHAPES.items():
        if shapes.get(shape, 0.0) >= _SHAPED:
            return said
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    spaced = re.sub(r"[^a-z0-9]+", "_", spaced).strip("_")
    for pattern, said in _NAMES:
        if re.search(rf"(?:\A|_)(?:{pattern})(?:\Z|_|s\Z|s_)", spaced):
            return said
    return None
