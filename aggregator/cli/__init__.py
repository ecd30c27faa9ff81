"""The commands: read arguments, build the shells, and turn errors into exit codes.

What a command prints is its product on stdout, and talk on stderr. Modules that only some
commands need are imported by those, so that ``--help`` and ``check`` start fast.
"""

from aggregator.cli.commands import app

__all__ = ["app"]
