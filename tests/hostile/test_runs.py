"""Whole runs on targets that fail in the middle: bounded in time, honest, and they say what happened."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from middle import PATIENCE, TROUBLES, Middle
from suite import ROOT, SuiteRun, run_suite

from runner.database.dsn import Dsn
from runner.database.outcome import succeeded
from runner.database.session import Login, Session
from runner.plugin.embedded import EmbeddedSimulator
from runner.plugin.options import DEFAULT_IN_FLIGHT

GUARD = 200.0  # seconds; such a run takes about a minute, of which most is waiting
WORKING = 400  # connections that such a target serves, of some 2000 that a run opens
NOT_RUN = "not run: the target is unusable since"
RUNS = {
    "goes silent": ("goes silent", ()),
    "hangs after OK, four workers": ("hangs after OK", ("-n", "4")),
    "disappears": ("disappears", ()),
    "has no connection left": ("has no connection left", ("-n", "4")),
}


def hostile(trouble: str, record: Path, *options: str, after: int = WORKING) -> SuiteRun:
    simulator = EmbeddedSimulator()
    try:
        with Middle(Dsn.parse(simulator.dsn), TROUBLES[trouble], after=after).standing() as middle:
            return run_suite(record, "--dsn", middle.dsn, *options, limit=GUARD)
    finally:
        simulator.stop()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[SuiteRun]]]:
    """All runs of this file at the same time: they wait more than they work."""
    folder = tmp_path_factory.mktemp("hostile")
    with ThreadPoolExecutor(len(RUNS)) as pool:
        yield {
            name: pool.submit(hostile, trouble, folder / f"{number}.json", *options)
            for number, (name, (trouble, options)) in enumerate(RUNS.items())
        }


@pytest.mark.parametrize("name", RUNS)
def test_a_target_that_fails_in_the_middle_is_undecided_in_bounded_time(
    runs: dict[str, Future[SuiteRun]], name: str
) -> None:
    run = runs[name].result()
    assert run.code == 1
    assert run.results(verdict="deviates") == []
    assert run.results(verdict="conforms")
    undecided = run.results(verdict="inconclusive")
    assert len(undecided) > 150
    assert all("is unusable since" in row["reason"] for row in undecided)
    assert 1 <= run.screen.count(NOT_RUN) <= 4  # once for each way in which it showed; four workers may meet four
    assert "undecided: " in run.screen
    assert "Traceback" not in run.screen
    assert len(run.screen.splitlines()) < 400  # and not a text for each case that was not run


def test_observing_on_a_target_that_is_gone_is_no_success(tmp_path: Path) -> None:
    run = hostile("disappears", tmp_path / "record.json", "-m", "observe", after=60)
    assert run.code == 1
    assert NOT_RUN in run.screen


class Restarted:
    """A simulator that is killed, with all its users, and started again on the same port."""

    def __init__(self) -> None:
        self._process = self._start(0)
        assert self._process.stdout is not None
        self.dsn = Dsn.parse(self._process.stdout.readline().strip())

    def _start(self, port: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "runner.simulator", "--port", str(port), "--until-stdin-closes"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

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
                    self._process = self._start(self.dsn.port)
                    return

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def test_a_server_that_restarts_gets_its_fair_chance_for_the_cases_that_are_left(tmp_path: Path) -> None:
    server, over = Restarted(), threading.Event()
    thread = threading.Thread(target=server.restart_after, args=(120, over))
    thread.start()
    try:
        run = run_suite(tmp_path / "record.json", "--dsn", server.dsn.text, "-m", "must", limit=GUARD)
    finally:
        over.set()
        thread.join(PATIENCE)
        server.stop()
    assert run.code == 1
    assert run.results(verdict="deviates") == []
    undecided = run.results(verdict="inconclusive")
    assert 1 <= len(undecided) <= DEFAULT_IN_FLIGHT, undecided  # those that lost their sessions to the restart
    reason = undecided[0]["reason"]  # which of them: how far the case was when the server went away
    repeated = ("not when the case was repeated", "not again when the case was repeated")
    accepted = (*repeated, "is unusable since", "the server closes connections without")
    assert any(words in reason for words in accepted), reason
    assert len(run.results(verdict="conforms")) > 80
    assert "Traceback" not in run.screen
