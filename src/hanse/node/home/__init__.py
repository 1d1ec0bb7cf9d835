"""Domain homes: the folder in which everything a domain owns lives."""

from hanse.node.home.home import Home, NoHome
from hanse.node.home.lock import HomeLocked
from hanse.node.home.values import Publication, Published, PublishedLine, Stage

__all__ = ["Home", "HomeLocked", "NoHome", "Publication", "Published", "PublishedLine", "Stage"]
