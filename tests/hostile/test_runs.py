"""Whole runs on targets that fail in the middle: bounded in time, honest, and they say what happened."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import succeeded
from runner.database.session import Login, Session
from runner.plugin.run_options import DEFAULT_IN_FLIGHT
from tests.support.eventually import PATIENCE
from tests.support.faulty_proxy import FAULTS, FaultyProxy
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, run_suite

GUARD = 400.0  # seconds: no slow machine needs them; such a run takes one to two minutes, most of it waiting
WORKING = 800  # connections that such a target serves, of some 2000 that a run opens; the first cases open most
NOT_RUN = "not run: the target has been unusable since"
RUNS = {
    "sends no more data": ("sends no more data", ()),
    "hangs after OK, four workers": ("hangs after OK", ("-n", "4")),
    "disappears": ("disappears", ()),
    "has no connection left": ("has no connection left", ("-n", "4")),
}


def hostile(fault: str, record: Path, *options: str, after: int = WORKING) -> SuiteRun:
    simulator = SimulatorProcess()
    try:
        with FaultyProxy(Dsn.parse(simulator.dsn), FAULTS[fault], after=after).standing() as proxy:
            return run_suite(record, "--dsn", proxy.dsn, *options, limit=GUARD)
    finally:
        simulator.stop()


@pytest.mark.long
@pytest.mark.parametrize("name", RUNS)
def test_the_cases_after_a_failure_of_the_target_are_inconclusive_in_bounded_time(tmp_path: Path, name: str) -> None:
    fault, options = RUNS[name]
    run = hostile(fault, tmp_path / "record.json", *options)
    assert run.code == 1
    assert run.results(verdict="deviates") == []
    assert run.results(verdict="conforms")
    undecided = run.results(verdict="inconclusive")
    assert len(undecided) > 150
    assert all("has been unusable since" in row["reason"] for row in undecided)
    assert 1 <= run.screen.count(NOT_RUN) <= 4  # once for each way in which it showed; four workers may meet four
    assert "undecided: " in run.screen
    assert "Traceback" not in run.screen
    assert len(run.screen.splitlines()) < 400  # and not a text for each case that was not run


@pytest.mark.long
def test_observations_on_a_target_that_disappears_fail_the_run(tmp_path: Path) -> None:
    run = hostile("disappears", tmp_path / "record.json", "-m", "observe", after=60)
    assert run.code == 1
    assert NOT_RUN in run.screen


class Restarted:
    """A simulator that is killed, with all its users, and started again on the same port."""

    def __init__(self) -> None:
        self._simulator = SimulatorProcess()
        self.dsn = Dsn.parse(self._simulator.dsn)

    def restart_after(self, logins: int, over: threading.Event) -> None:
        """Waits until so many clients have logged in; they are numbered."""
        while not over.wait(0.05):
            session = Session(Login(self.dsn, self.dsn.user, self.dsn.password, 1 << 27))
            opened = session.open(PATIENCE)
            session.close()
            if succeeded(opened) and session.handshake_id is not None:
                self._first = getattr(self, "_first", session.handshake_id)
                if abs(session.handshake_id - self._first) > logins:
                    self.stop()
                    self._simulator = SimulatorProcess("--port", str(self.dsn.port))
                    return

    def stop(self) -> None:
        self._simulator.send_signal(signal.SIGKILL)
        self._simulator.stop()


@pytest.mark.long
def test_the_remaining_cases_are_decided_after_a_restart_of_the_server(tmp_path: Path) -> None:
    server, over = Restarted(), threading.Event()
    thread = threading.Thread(target=server.restart_after, args=(120, over))
    thread.start()
    try:
        run = run_suite(tmp_path / "record.json", "--dsn", server.dsn.text_with_password, "-m", "must", limit=GUARD)
    finally:
        over.set()
        thread.join(PATIENCE)
        server.stop()
    assert run.code == 1
    assert run.results(verdict="deviates") == []
    undecided = run.results(verdict="inconclusive")
    assert 1 <= len(undecided) <= DEFAULT_IN_FLIGHT, undecided  # those that lost their sessions to the restart
    assert not any("reuses ids at once" in row["reason"] for row in undecided)  # it numbers its sessions anew
    reason = undecided[0]["reason"]  # which of them: how far the case was when the server went away
    repeated = ("not when the case was repeated", "not again when the case was repeated")
    accepted = (*repeated, "has been unusable since", "the server closes connections without")
    assert any(words in reason for words in accepted), reason
    assert len(run.results(verdict="conforms")) > 80
    assert "Traceback" not in run.screen
