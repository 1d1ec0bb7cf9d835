"""What happened, as one person may know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .cards import Grid


class News(Sequence["dict[str, Any]"]):
    """Events in order, as a list of mappings that prints as a table; `cursor` is the place to go on from."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._events: list[dict[str, Any]] = list(told["events"])
        self.cursor: str | None = told.get("cursor")

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, at: Any) -> Any:
        return self._events[at]

    def _grid(self) -> Grid:
        rows = tuple((one["at"][:19].replace("T", " "), one["name"], one["text"]) for one in self._events)
        return Grid(("when (UTC)", "event", "what"), rows, empty="nothing happened", prose=frozenset({"what"}))

    def __repr__(self) -> str:
        return self._grid().text()

    def _repr_html_(self) -> str:
        return self._grid().html()
