"""What the global flags said, and the project they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.errors import HanseError, Kind, code

if TYPE_CHECKING:
    import click

    from hanse.client import Client

_MARKS = ("mesh.yaml", "domain.yaml")


class NoProject(HanseError):
    kind = Kind.INVALID
    code = code(
        "cli.no-project",
        Kind.INVALID,
        "No project here",
        "A verb that works on a project looks for the nearest folder with mesh.yaml or domain.yaml, upwards from here.",
        "Go to the project's folder, or name it with --dir.",
    )

    def __init__(self, start: Path) -> None:
        super().__init__(
            f"neither {start} nor a folder above it holds mesh.yaml or domain.yaml",
            mend="cd to the project, or add --dir FOLDER",
        )


@dataclass(slots=True)
class State:
    """The global flags of one call; `ctx.obj` of every verb."""

    dir: Path | None = None
    node: str | None = None
    json: bool = False
    debug: bool = False
    as_token: Path | None = None
    client: Client | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        """The project's folder; raise `NoProject` when there is none."""
        found = self.find_root()
        if found is None:
            raise NoProject((self.dir or Path.cwd()).resolve())
        return found

    def find_root(self) -> Path | None:
        """The nearest folder with mesh.yaml or domain.yaml; a domain inside a mesh means the mesh."""
        start = (self.dir or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "mesh.yaml").is_file():
                return folder
            if (folder / "domain.yaml").is_file():
                return folder.parent if (folder.parent / "mesh.yaml").is_file() else folder
        return None


def state(ctx: click.Context) -> State:
    """The flags of the call that `ctx` belongs to."""
    found = ctx.find_object(State)
    if found is None:
        found = State()
        ctx.find_root().obj = found
    return found
