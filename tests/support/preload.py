"""Preloads the commands of the suite, for ``tests.support.suite_run``; what runs start is forked, too."""

from __future__ import annotations

import gc
from importlib import import_module
from pkgutil import iter_modules

import runner.commands
from tests.support.forked_children import fork_children

for _module in iter_modules(runner.commands.__path__):
    import_module(f"runner.commands.{_module.name}")
import_module("runner.proof.forked_programs")
fork_children()
gc.freeze()
