"""Runs single cases, written by the tests, on a simulator of their own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runner.database.dsn import Dsn
from runner.database.naming import Names
from runner.database.outcome import Ok, Rows
from runner.database.profile import Profile, load_profile
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import Limits
from runner.execution.case_result import CaseResult
from runner.execution.case_runner import CaseRunner
from runner.language.case_files import load_cases
from tests.support import simulator_process
from tests.support.eventually import PATIENCE
from tests.support.paths import ROOT

LIMITS = Limits(connect=PATIENCE, statement=PATIENCE, settle=PATIENCE, cleanup=PATIENCE)
ORACLE_MODE = 1 << 27
KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"


@contextlib.contextmanager
def simulator(*options: str) -> Iterator[Dsn]:
    """The parsed DSN of a simulator with these options, which ends with the block."""
    with simulator_process.simulator(*options) as dsn:
        yield Dsn.parse(dsn)


@contextlib.contextmanager
def somebody_else(dsn: Dsn, user: str = "", password: str = "") -> Iterator[tuple[Session, str]]:
    """A session that belongs to no case, the administrator's or this user's, and its id."""
    session = Session(Login(dsn, dsn.login(user or dsn.account), password or dsn.password, ORACLE_MODE))
    assert session.open(PATIENCE) == Ok()
    try:
        answer = session.execute("SHOW PROCESSLIST", PATIENCE)
        assert isinstance(answer, Rows)
        (own,) = [row[0] for row in answer.values if row[2] == session.local_address]
        assert own is not None
        yield session, own
    finally:
        session.close()


SESSIONS = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, stranger: {}}"


@dataclass(frozen=True)
class Bench:
    """A place to run cases: a folder for the file, and a server."""

    folder: Path
    dsn: Dsn
    limits: Limits = LIMITS
    profile: Profile | None = None
    names: Names | None = None

    def settling_within(self, seconds: float) -> Bench:
        return replace(self, limits=replace(self.limits, settle=seconds))

    def run(self, body: str, requirement: str = "PUR-1", sessions: str = SESSIONS) -> CaseResult:
        """Runs the one case of a file; ``body`` is what it says besides id, title, requirement and sessions."""
        cases = self.folder / "cases"
        cases.mkdir(exist_ok=True)
        shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
        path = cases / "file.yaml"
        head = (
            f"  - id: the-case\n    requirement: {requirement}\n    title: something holds\n    sessions: {sessions}\n"
        )
        lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
        path.write_text(f"format: 1\ncases:\n{head}{lines}", encoding="utf-8")
        (case,) = load_cases(path)
        target = Target(
            self.dsn, self.profile or load_profile("oceanbase-oracle").sending_all(), self.limits, self.names
        )
        case_runner = CaseRunner(target)
        try:
            return case_runner.run(case)
        finally:
            case_runner.remove_kept()
            target.close()

    def users(self) -> tuple[tuple[str | None, ...], ...]:
        """The users of the suite that are left on the server."""
        with somebody_else(self.dsn) as (session, _):
            answer = session.execute("SELECT USERNAME FROM ALL_USERS WHERE USERNAME LIKE 'KSC_%'", PATIENCE)
        assert isinstance(answer, Rows), answer
        return answer.values


def sent(result: CaseResult) -> list[str]:
    """The statements that a case's own sessions sent."""
    return [event.text for event in result.transcript if event.kind == "sends" and not event.setup]
