"""The text files of a project on disk: what is validated, sent to a node and kept; never data."""

from __future__ import annotations

import os
from pathlib import Path

from hanse.errors import HanseError, Kind, code

BUNDLE_BYTES = 16 * 1024 * 1024
_TEXTS = frozenset({".yaml", ".yml", ".sql", ".py", ".cedar", ".md"})
_SKIPPED = frozenset({"node_modules", "__pycache__"})
_MARKS = ("domain.yaml", "data.odps.yaml")  # a folder with one of them is a domain or product that is called data


class BundleTooLarge(HanseError):
    kind = Kind.INVALID
    code = code(
        "walk.bundle-too-large",
        Kind.INVALID,
        "The project's text files are too large",
        "A plan carries the project's descriptors, transforms and policies, at most 16 MiB, and never data.",
        "Keep data and generated files out of the project's folders, or in a folder called data.",
    )

    def __init__(self, largest: str) -> None:
        super().__init__(
            "the project's text files exceed 16 MiB", where=largest, mend=f"move {largest} to a folder called data"
        )


class LinkOutside(HanseError):
    kind = Kind.INVALID
    code = code(
        "walk.link-outside",
        Kind.INVALID,
        "A link leads out of the project",
        "A project's files are read as they lie in its folder; a link out of it would send what is not part of it.",
        "Replace the link by the file itself.",
    )

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is a link that leads out of the project", where=path, mend=f"put a file at {path}")


class NotReadable(HanseError):
    kind = Kind.INVALID
    code = code(
        "walk.not-readable",
        Kind.INVALID,
        "A file of the project cannot be read",
        "Descriptors, transforms and policies are UTF-8 text that the one who runs the command can read.",
        "Save the file as UTF-8, and let yourself read it.",
    )

    def __init__(self, path: str, reason: str, mend: str) -> None:
        super().__init__(f"{path} cannot be read: {reason}", where=path, mend=mend)


def read(root: Path) -> dict[str, str]:
    """The project's text files by path below `root`, sorted; hidden folders and folders called data are left out.

    Raises `BundleTooLarge` above 16 MiB, `LinkOutside`, and `NotReadable` for what is no UTF-8 text.
    """
    inside = root.resolve()
    texts: dict[str, str] = {}
    sizes: dict[str, int] = {}
    total = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if _entered(Path(folder, name)))
        for name in sorted(files):
            path = Path(folder, name)
            if name.startswith(".") or path.suffix not in _TEXTS:
                continue
            said = path.relative_to(root).as_posix()
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise LinkOutside(said)
            if not path.is_file():  # a device or a pipe would never end
                raise NotReadable(said, "it is no file", f"put a file at {said}, or remove it")
            sizes[said] = path.stat().st_size
            total += sizes[said]
            if total > BUNDLE_BYTES:
                raise BundleTooLarge(max(sizes, key=sizes.__getitem__))
            texts[said] = _text(path, said)
    return dict(sorted(texts.items()))


def _entered(path: Path) -> bool:
    name = path.name
    if name.startswith(".") or name in _SKIPPED:
        return False
    return name != "data" or any((path / mark).is_file() for mark in _MARKS)


def _text(path: Path, said: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotReadable(said, error.strerror or "it failed", "let yourself read it") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if path.suffix == ".md":  # words for people: nothing is decided by them
            return data.decode("utf-8", "replace")
        line = data.count(b"\n", 0, error.start) + 1
        raise NotReadable(
            said, f"byte 0x{data[error.start]:02x} on line {line} is not UTF-8", "save it as UTF-8"
        ) from None
