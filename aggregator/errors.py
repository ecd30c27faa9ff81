"""The errors that the program raises on purpose, and their exit codes.

    AggregatorError
    ├── ConfigError      feeds.toml or a clippings file is wrong     exit 2
    ├── StorageError     the database cannot be read or written      exit 3
    ├── PublishError     the outputs cannot be written               exit 3
    └── LockedError      another run holds the lock                  exit 75 (EX_TEMPFAIL)
        └── BusyError    workers' jobs did not end in time

Errors of feeds and their servers are not raised but returned as values
(`model.FetchFailed`, `model.Gone`, `model.ParseFailed`).
"""

from dataclasses import dataclass

DISTRIBUTION = "tagfeeds"  # the name to install; "aggregator" on PyPI is another project


def not_installed(module: str, extra: str) -> str:
    """The message for a missing module that ``extra`` of the distribution installs."""
    return f'{module} is not installed: pip install "{DISTRIBUTION}[{extra}]"'


class AggregatorError(Exception):
    """Base class; the command line exits with ``exit_code``."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or warning about a file that the user writes: ``file:line: message``.

    ``line`` counts from 1; None if there is no line to name, as in an empty file.
    """

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


class ConfigError(AggregatorError):
    """The configuration is wrong; ``diagnostics`` are all errors, in the order of the file."""

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics


class StorageError(AggregatorError):
    """The database cannot be opened, read or written."""

    exit_code = 3


class PublishError(AggregatorError):
    """The outputs cannot be written."""

    exit_code = 3


class LockedError(AggregatorError):
    """Another run holds the lock."""

    exit_code = 75


class BusyError(LockedError):
    """Workers' jobs did not end in time."""
