"""A server can be put together with one part of it exchanged."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

from .clients import PATIENCE, ROOT, Simulator, code, is_lost, kill, number, run, works

PROGRAM = """
import sys
from dataclasses import replace
from runner.simulator.command import run
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.parts import Parts
from runner.simulator.settings import Settings

class Idle(KillSessionStatement):
    async def end(self, session, victim, statement):
        pass

class Serial(KillSessionStatement):
    def read_id(self, statement):
        return int(statement.text.split(",")[-1])

class Listed(SessionEnding):
    def unlist(self, victim):
        pass

parts = {"idle": dict(kill=Idle), "serial": dict(kill=Serial), "listed": dict(ending=Listed)}[sys.argv[1]]
sys.exit(run(Settings(), until_stdin_closes=True, parts=replace(Parts(), **parts)))
"""


class Altered:
    """A server with one part exchanged."""

    def __init__(self, part: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, part], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Simulator:
        assert self._process.stdout is not None
        dsn = urlsplit(self._process.stdout.readline())
        assert dsn.port is not None
        self._simulator = Simulator(dsn.port, dsn.password or "", self._process)
        return self._simulator

    def __exit__(self, *_: object) -> None:
        self._simulator.stack.close()
        self._process.communicate(timeout=PATIENCE)


def test_the_step_that_ends_the_session() -> None:
    with Altered("idle") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert works(victim)


def test_the_step_that_reads_the_id() -> None:
    with Altered("serial") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert code(admin, kill(victim, ", 1")) == 600
        run(admin, f"ALTER SYSTEM KILL SESSION '1, {number(victim)}'")
        assert is_lost(victim)


def test_the_step_that_takes_the_row_off_the_list() -> None:
    with Altered("listed") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert is_lost(victim)
        assert number(victim) in sim.ids()
