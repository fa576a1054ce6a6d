"""The commands, one module each, with ``HELP``, ``add_arguments`` and ``run``, which returns the exit code."""

USAGE_ERROR = 4
