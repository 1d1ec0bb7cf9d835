"""Steps that read stored data say so before they learn which: nothing of it is deleted until they end."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from hanse.node.node import Node

P = ParamSpec("P")
T = TypeVar("T")


def reading(step: Callable[Concatenate[Node, P], T]) -> Callable[Concatenate[Node, P], T]:
    """`step`, noted among the node's readers while it runs."""

    @wraps(step)
    def noted(node: Node, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with node.reads.reading():
            return step(node, *args, **kwargs)

    return noted
