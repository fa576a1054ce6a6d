"""The command line's commands, a module each: ``HELP``, ``add_arguments`` and ``run``, which answers the exit code."""

from pathlib import Path

USAGE_ERROR = 4
CASES = Path("cases")
