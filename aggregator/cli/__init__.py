"""The command line: arguments, output, and exit codes.

Results go to stdout, messages to stderr. Each command imports its own dependencies when it runs,
so that ``--help`` and ``check`` start fast.
"""

from aggregator.cli.commands import app

__all__ = ["app"]
