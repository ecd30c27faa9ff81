"""feedparser as other programs have it: `parse.feedparser_fixes` changes the one that we import."""

import sys
from importlib import import_module
from types import ModuleType


def _load() -> ModuleType:
    """A second copy of the package."""
    changed = _forget()
    try:
        return import_module("feedparser")
    finally:
        _forget()
        sys.modules.update(changed)


def _forget() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "feedparser"]
    return {name: sys.modules.pop(name) for name in names}


feedparser = _load()
