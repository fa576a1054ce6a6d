"""What every run of the suite begins with, done once: the fork server of the proofs imports this, and forks runs."""

from __future__ import annotations

import gc
from importlib import import_module

from runner.language.load import case_files
from runner.plugin.collection import cached_cases
from runner.proof.prove import ROOT

for _name in ("xdist.plugin", "xdist.terminal", "runner.plugin.hooks"):
    import_module(_name)
for _path in case_files(ROOT / "cases"):
    cached_cases(_path)
# What is here now is here to stay: no run has to look through it for garbage.
gc.freeze()
