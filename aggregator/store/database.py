"""The state of an installation: one object with a part for each subject.

Each method of a part is one short transaction. Every query of the program is in this folder.
"""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from aggregator.store.channels import ChannelStore
from aggregator.store.clipped_entries import ClippingStore
from aggregator.store.connection import Database
from aggregator.store.failed_jobs import JobFailureStore
from aggregator.store.feeds import FeedStore
from aggregator.store.matches import MatchStore
from aggregator.store.published import PublishedStore
from aggregator.store.retention import RetentionStore
from aggregator.store.runs import RunStore
from aggregator.store.stories import StoryStore
from aggregator.store.training_data import TrainingDataStore


class Store:
    """The open database of ``[store] url``. One writer at a time: hold the run lock."""

    def __init__(self, url: str, root: Path) -> None:
        """Open, or create, the database; relative paths start at the project folder ``root``.

        Raises StorageError if it cannot be opened, is damaged, or is of a later version.
        """
        self.database = database = Database(url, root)
        self.channels = ChannelStore(database)
        self.clippings = ClippingStore(database)
        self.feeds = FeedStore(database)
        self.job_failures = JobFailureStore(database)
        self.matches = MatchStore(database)
        self.published = PublishedStore(database)
        self.runs = RunStore(database)
        self.stories = StoryStore(database)
        self.training = TrainingDataStore(database)
        self.retention = RetentionStore(database, self.training)

    @property
    def name(self) -> str:
        """The database in messages, without a password."""
        return self.database.name

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return self.database.path

    def close(self) -> None:
        """Close the database; SQLite merges its write-ahead log into the file."""
        self.database.close()

    def server_time(self) -> datetime:
        """The database server's clock, in whole seconds: machines that share it share its time."""
        with self.database.transaction() as connection:
            now: datetime = connection.execute(select(func.now())).scalar_one()
            return now.astimezone(UTC).replace(microsecond=0)
