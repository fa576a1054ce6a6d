"""Preloads the modules and cases of the suite: the fork server of the proofs imports this module once, then forks."""

from __future__ import annotations

import gc
from importlib import import_module

from _pytest.config import default_plugins

from runner.language.case_files import digest_of
from runner.language.suite import own_suite
from runner.reporting.record import suite_version

_PLUGINS = (
    *(f"_pytest.{name}" for name in default_plugins),
    "xdist.plugin",
    "xdist.looponfail",
    "runner.plugin.hooks",
    "runner.plugin.command_hooks",
)
_LOADED_BY_PLUGINS_LATER = (
    "encodings.idna",
    "execnet",
    "pdb",
    "tomllib",
    "unittest",
    "xdist.newhooks",
    "xml.etree.ElementTree",
)
_PROGRAMS = ("runner.cli", "runner.simulator.command", "runner.proof.witness_runs")

for _name in (*_PLUGINS, *_LOADED_BY_PLUGINS_LATER, *_PROGRAMS):
    import_module(_name)
# These values are kept: a fork needn't find them again.
digest_of(*own_suite().folders)
suite_version()
# All objects so far are permanent: the garbage collector of a run ignores them.
gc.freeze()
