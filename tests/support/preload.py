"""Preloads the commands of the suite, for ``tests.support.suite_run``; workers of runs are forked, too."""

from __future__ import annotations

import gc
from importlib import import_module
from pkgutil import iter_modules

import runner.commands
from tests.support.forked_xdist_workers import fork_workers

for _module in iter_modules(runner.commands.__path__):
    import_module(f"runner.commands.{_module.name}")
import_module("runner.proof.forked_programs")
fork_workers()
gc.freeze()
