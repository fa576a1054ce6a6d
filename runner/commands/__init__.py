"""The command line's commands, a module each: ``HELP``, ``add_arguments`` and ``run``, which answers the exit code."""

USAGE_ERROR = 4
