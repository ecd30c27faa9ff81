"""A project on disk: feeds.toml and the clippings files that it names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from aggregator.clippings import clipping_from_entry, parse_clippings, private_warning
from aggregator.config import parse_config
from aggregator.errors import ConfigError, Diagnostic
from aggregator.files.atomic import folder_lock, sweep, write_atomically
from aggregator.model import Clipping, Config, Fetched, ParseFailed, Role, Validators
from aggregator.text.decoding import decode_document
from aggregator.text.markup import read_markup
from aggregator.text.utf8 import decode_utf8

_PRIVATE_ADDRESS = (
    "the address is a secret, so its bookmarks are used for matching and not published, "
    'unless "public" of [clippings] lists it'
)


@dataclass(frozen=True, slots=True)
class Project:
    """feeds.toml and the clippings. Relative paths start at ``root``."""

    root: Path
    config: Config
    clippings: tuple[Clipping, ...]
    warnings: tuple[Diagnostic, ...]


def open_project(path: Path, environment: Mapping[str, str], now: datetime) -> Project:
    """Read feeds.toml at ``path`` and the clippings. Raises ConfigError with all errors."""
    file = str(path)
    root = path.absolute().parent
    text = decode_utf8(_read(path, file, "no configuration here: expected a feeds.toml"), file)
    config = parse_config(text, file, environment)
    diagnostics: list[Diagnostic] = []
    clippings: list[Clipping] = []
    warnings: list[Diagnostic] = []
    public = set(_expand(config.public_clippings, root, file, []))
    for name in _expand(config.clippings, root, file, diagnostics):
        try:
            file_clippings, file_warnings = _read_clippings(root / name, name, now)
        except ConfigError as error:
            diagnostics += error.diagnostics
            continue
        if name in public:
            file_clippings = tuple(replace(c, private=False) for c in file_clippings)
        clippings += file_clippings
        warnings += file_warnings
        warnings += (Diagnostic(name, None, text) for text in private_warning(file_clippings))
    for subscription in config.subscriptions:
        if subscription.role is Role.PRIVATE_CLIPPINGS:
            warnings.append(Diagnostic(file, None, f'"{subscription.title}": {_PRIVATE_ADDRESS}'))
    if diagnostics:
        raise ConfigError(tuple(diagnostics))
    return Project(root, config, tuple(clippings), tuple(warnings))


def edit_config(path: Path, edit: Callable[[str], str], environment: Mapping[str, str]) -> None:
    """Replace the text of feeds.toml by ``edit(text)``, or create the file.

    A lock and an atomic rename keep the edits of other processes. Raises ConfigError, and writes
    nothing, if the new text is not a valid feeds.toml.
    """
    file = str(path)
    path = path.resolve()  # a link to it stays a link
    try:
        with folder_lock(path.parent):
            text = decode_utf8(_read(path, file, "cannot be read"), file) if path.exists() else ""
            try:
                edited = edit(text)
            except ValueError as error:
                raise ConfigError(
                    (Diagnostic(file, None, f"cannot be added to: {error}"),)
                ) from error
            parse_config(edited, file, environment)
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            sweep(path)
            write_atomically(path, edited.encode(), mode)
    except OSError as error:
        message = f"cannot be written ({error.strerror or error})"
        raise ConfigError((Diagnostic(file, None, message),)) from error


def _expand(
    patterns: tuple[str, ...], root: Path, file: str, diagnostics: list[Diagnostic]
) -> list[str]:
    """The files that paths and globs name, each once, globs in alphabetical order."""
    names: dict[str, None] = {}
    for pattern in patterns:
        try:
            if (root / pattern).exists():
                names[pattern] = None
                continue
            matches = sorted(p for p in root.glob(pattern) if p.is_file())
        except (OSError, ValueError, NotImplementedError, IndexError):
            # A name that is too long, an absolute path, or "**x".
            matches = []
        if not matches:
            message = f'[clippings] files: there is no file "{pattern}" in {root}'
            diagnostics.append(Diagnostic(file, None, message))
        names.update((str(match.relative_to(root)), None) for match in matches)
    return list(names)


def _read_clippings(
    path: Path, file: str, now: datetime
) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """The clippings of a file in any format, and warnings. Raises ConfigError."""
    if path.exists() and not path.is_file() and not path.is_dir():
        # Reading a pipe or a device may never end.
        raise ConfigError((Diagnostic(file, None, "the clippings file is a device, not a file"),))
    data = _read(path, file, "the clippings file cannot be read")
    if not data.strip():
        raise ConfigError((Diagnostic(file, None, "the clippings file is empty"),))

    def parse_feed(data: bytes, file: str) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
        from aggregator.parse.document import parse_document

        parsed = parse_document(Fetched(file, "", data, "", Validators()), now)
        if isinstance(parsed, ParseFailed):
            message = f"neither clippings nor a bookmark file; {parsed.reason}"
            raise ConfigError((Diagnostic(file, None, message),))
        notes = (*parsed.warnings, *parsed.notes)
        warnings = [Diagnostic(file, None, note) for note in notes]
        count = _count_entries(data)
        if len(parsed.entries) != count is not None:
            message = f"of {count} entries in the file, {len(parsed.entries)} were read"
            warnings.append(Diagnostic(file, None, message))
        link = parsed.feed.link or ""
        return tuple(clipping_from_entry(entry, link) for entry in parsed.entries), tuple(warnings)

    return parse_clippings(data, file, parse_feed)


def _count_entries(data: bytes) -> int | None:
    """The number of entries in an XML feed, counted without parsing it; None for JSON."""
    document = decode_document(data)
    if document.lstrip().startswith("{"):
        return None
    names = (markup.name.rpartition(":")[2] for markup in read_markup(document))
    return sum(1 for name in names if name in ("item", "entry"))


def _read(path: Path, name: str, otherwise: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{otherwise} ({error.strerror or error})"
        raise ConfigError((Diagnostic(name, None, message),)) from error
