"""How ``kill-session-conformance run`` starts pytest, so that it runs the cases from anywhere."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Sequence
from pathlib import Path

from runner.language.casefolders import default_cases, resolved

PLUGIN = "runner.plugin.standalone"


def arguments(given: Sequence[str]) -> list[str]:
    """The arguments for pytest to run cases, whatever settings and conftest files the working directory has.

    Args:
        given: options of pytest and of the suite, and paths of cases; without a path, the default cases are run.
    """
    folder = default_cases()
    # Only pytest knows which of the arguments are paths; what it takes where there are none is this setting.
    paths = ["-o", f"testpaths={shlex.quote(glob.escape(str(folder)))}"] if folder is not None else []
    settings = ["-c", str(Path(__file__).with_name("run.ini")), "--rootdir", str(Path.cwd()), "--noconftest"]
    return ["-p", PLUGIN, *settings, *paths, *map(resolved, given)]
