"""The command line of pytest for ``kill-session-conformance run``, which works in any working directory."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Sequence
from pathlib import Path

from runner.language.default_folders import default_cases, resolved

PLUGIN = "runner.plugin.command_hooks"


def pytest_arguments(given: Sequence[str]) -> list[str]:
    """The arguments with which pytest runs cases, without settings and conftest files of the working directory.

    Args:
        given: options of pytest and of the suite, and paths of cases; without a path, the default cases are run.
    """
    folder = default_cases()
    # Only pytest can tell which arguments are paths; this setting is used if there are none.
    paths = ["-o", f"testpaths={shlex.quote(glob.escape(str(folder)))}"] if folder is not None else []
    settings = ["-c", str(Path(__file__).with_name("run.ini")), "--rootdir", str(Path.cwd()), "--noconftest"]
    return ["-p", PLUGIN, *settings, *paths, *map(resolved, given)]
