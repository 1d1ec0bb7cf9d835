"""Masks and views in words that a reader understands."""

from __future__ import annotations

from hanse.governance.decision import (
    Bucket,
    ColumnView,
    Constant,
    HashMask,
    Hidden,
    Last,
    Mask,
    Masked,
    Null,
    Truncate,
)


def mask_words(mask: Mask) -> str:
    """What `mask` does to a value, in a few words.

    >>> mask_words(Last(4))
    'all but the last 4 characters replaced'
    """
    match mask:
        case Null():
            return "always null"
        case Constant(value):
            return f"always {value!r}"
        case Bucket(width):
            return f"rounded down to a multiple of {width:g}"
        case Truncate(to):
            return f"cut to the {to}" if isinstance(to, str) else f"cut to a multiple of {to:g}"
        case HashMask():
            return "replaced by a keyed hash; equal values stay equal in the domain"
        case Last(count):
            return f"all but the last {count} characters replaced" if count else "all characters replaced"


def view_words(view: ColumnView) -> str:
    """How a column is shown and which rule says so.

    >>> view_words(Masked(HashMask(), "names-by-hash (policies/masks.yaml:3)"))
    'replaced by a keyed hash; equal values stay equal in the domain: names-by-hash (policies/masks.yaml:3)'
    """
    match view:
        case Hidden(rule):
            return f"hidden: {rule}"
        case Masked(mask, rule):
            return f"{mask_words(mask)}: {rule}"
        case _:
            return f"clear: {view.because}" if view.because else "clear"
