"""A component of the server can be replaced by a subclass."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

from tests.support.eventually import PATIENCE
from tests.support.paths import ROOT
from tests.support.simulator_clients import (
    Clients,
    error_code,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
)

PROGRAM = """
import sys
from dataclasses import replace
from runner.simulator.command import run
from runner.simulator.sessions import SessionEnding
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.components import Components
from runner.simulator.settings import Settings

class Idle(KillSessionStatement):
    async def end(self, session, victim, statement):
        pass

class Serial(KillSessionStatement):
    def read_id(self, statement):
        return int(statement.text.split(",")[-1])

class Listed(SessionEnding):
    def remove_row(self, victim):
        pass

components = {"idle": dict(kill=Idle), "serial": dict(kill=Serial), "listed": dict(ending=Listed)}[sys.argv[1]]
sys.exit(run(Settings(), until_stdin_closes=True, components=replace(Components(), **components)))
"""


class OverriddenSimulator:
    """A simulator with one overridden component."""

    def __init__(self, override: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, override],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Clients:
        assert self._process.stdout is not None
        dsn = urlsplit(self._process.stdout.readline())
        assert dsn.port is not None
        self._clients = Clients(dsn.port, dsn.password or "")
        return self._clients

    def __exit__(self, *_: object) -> None:
        self._clients.stack.close()
        self._process.communicate(timeout=PATIENCE)


def test_overriding_the_kill() -> None:
    with OverriddenSimulator("idle") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert is_usable(victim)


def test_overriding_how_the_id_is_read() -> None:
    with OverriddenSimulator("serial") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert error_code(admin, kill_statement(victim, ", 1")) == 600
        run(admin, f"ALTER SYSTEM KILL SESSION '1, {session_id(victim)}'")
        assert is_disconnected(victim)


def test_overriding_the_removal_of_the_row() -> None:
    with OverriddenSimulator("listed") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert is_disconnected(victim)
        assert session_id(victim) in sim.ids()
