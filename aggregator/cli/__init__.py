"""The command line: arguments, output, and exit codes.

Results go to stdout, messages to stderr. A command imports what only it needs when it runs, so
that ``--help`` and ``check`` start fast.
"""

from aggregator.cli.commands import app

__all__ = ["app"]
