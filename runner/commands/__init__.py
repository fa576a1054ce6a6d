"""The commands, one module each, with ``HELP``, ``add_arguments`` and ``run``; ``run`` itself has pytest's options."""

USAGE_ERROR = 4
