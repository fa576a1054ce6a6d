"""What every run of the suite begins with, done once: the fork server of the proofs imports this, and forks runs."""

from __future__ import annotations

import gc
from importlib import import_module

from _pytest.config import default_plugins

from runner.language.casefolders import own_cases
from runner.language.load import cached_cases, case_files

_PLUGINS = (
    *(f"_pytest.{name}" for name in default_plugins),
    "xdist.plugin",
    "xdist.looponfail",
    "runner.plugin.hooks",
    "runner.plugin.standalone",
)
_WHAT_PLUGINS_LOAD_LATER = (
    "encodings.idna",
    "execnet",
    "pdb",
    "tomllib",
    "unittest",
    "xdist.newhooks",
    "xml.etree.ElementTree",
)
_SIMULATOR = "runner.simulator.command"

for _name in (*_PLUGINS, *_WHAT_PLUGINS_LOAD_LATER, _SIMULATOR):
    import_module(_name)
if (_folder := own_cases()) is not None:
    for _path in case_files(_folder):
        cached_cases(_path)
# What is here now is here to stay: no run has to look through it for garbage.
gc.freeze()
