"""What must be rendered again, and what rendering needs of the shells."""

from dataclasses import dataclass, field
from typing import Protocol

from aggregator.model import Channel, Subscription

ArchiveDocument = tuple[
    str, bool, str
]  # month, whether it is dirty, the address it was rendered under


# Parts that are of no channel, whose keys all have a colon: what is about everything, and the pages
# of some of the sources, by number.
EVERYTHING, SOURCES = "everything", "sources "
SOURCES_PER_PART = 500


class Writer(Protocol):
    """What the run needs of the output folder."""

    written_bytes: int

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the file holds something else."""

    def write(self, name: str, data: bytes) -> bool:
        """Make the file hold ``data``; give whether it had to be written."""

    def sync(self) -> None:
        """See to it that what was written outlives a power cut."""


@dataclass(slots=True)
class RenderPlan:
    """What must be rendered again: the live documents of channels, documents of their archives,
    the pages of sources, the lists of all feeds and all sources, the pages about everything (which
    are with any other)."""

    live: list[Channel] = field(default_factory=list)
    archives: list[tuple[Channel, str]] = field(default_factory=list)
    sources: list[Subscription] = field(default_factory=list)
    lists: bool = False
    pages: bool = False

    def __bool__(self) -> bool:
        return bool(self.live or self.archives or self.sources or self.lists or self.pages)
