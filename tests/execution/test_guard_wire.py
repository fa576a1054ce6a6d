"""The guard seen from the wire: what could end a foreign session never leaves the suite's own sockets."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runner.database.dsn import Dsn
from runner.database.outcome import Ok, Rows
from runner.database.profile import Spelling, load_profile
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.adaptive_limits import AdaptiveLimits
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_result import Verdict
from runner.execution.case_sessions import CaseSessions
from runner.execution.idle_timeout import IdleTimeout
from runner.execution.session_checks import SessionChecks
from runner.execution.step_runner import StepRunner
from runner.execution.transcript import Transcript
from runner.language.case_files import load_cases
from runner.language.register import find_register
from tests.execution.case_bench import LIMITS, Bench, sent, simulator, somebody_else
from tests.execution.guarded_texts import ANY_TEXT, accepted, all_readers, arguments
from tests.support.eventually import PATIENCE, eventually
from tests.support.paths import ROOT
from tests.support.recording_proxy import RecordingProxy


@pytest.fixture(scope="module", params=["small-ids", "scattered-ids", None], ids=str)
def tap(request: pytest.FixtureRequest) -> Iterator[tuple[RecordingProxy, Dsn]]:
    with simulator(*(("--variant", request.param) if request.param else ())) as dsn:
        tap = RecordingProxy(dsn)
        yield tap, dsn
        tap.close()


@pytest.fixture(scope="module")
def foreign(tap: tuple[RecordingProxy, Dsn]) -> Iterator[dict[int, Session]]:
    with contextlib.ExitStack() as stack:
        found = (stack.enter_context(somebody_else(tap[1])) for _ in range(5))
        yield {int(own): session for session, own in found}


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_statement_that_a_server_can_read_as_a_foreign_id_is_never_sent(
    tap: tuple[RecordingProxy, Dsn], foreign: dict[int, Session], tmp_path: Path, data: st.DataObject
) -> None:
    wire, _ = tap
    argument = data.draw(arguments(st.sampled_from(sorted(foreign))).filter(lambda text: accepted(f"KILL {text}")))
    said = f"ALTER SYSTEM KILL SESSION {argument}"
    read = {number for _, number in all_readers(said)}
    wire.heard.clear()
    result = Bench(tmp_path, wire.dsn, replace(LIMITS, settle=0.3)).run(
        f"steps:\n  - killer: {json.dumps(said)}\n    reply: [ok, error]",
        sessions="{killer: {user: administrator}, plain: {}}",
    )
    if read & foreign.keys():
        assert (result.verdict, b"KILL" in wire.heard) == (Verdict.INCONCLUSIVE, False), said
    for number, session in foreign.items():
        assert isinstance(session.execute("SELECT 1 FROM DUAL", PATIENCE), Rows), (said, number)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(text=ANY_TEXT.filter(lambda text: not accepted(f"KILL {text}")))
@example("0x1F")
@example("'65537' '\u0661' '65537")
@example("(SELECT MAX(ID) FROM SESSIONS)")
@example("USER app")
def test_a_spelling_in_no_allowed_shape_is_never_sent(
    tap: tuple[RecordingProxy, Dsn], tmp_path: Path, text: str
) -> None:
    wire, _ = tap
    profile = load_profile("oceanbase-oracle")
    spelling = Spelling("ALTER SYSTEM KILL SESSION '{id}'", f"KILL {text}")
    wire.heard.clear()
    result = Bench(tmp_path, wire.dsn, profile=replace(profile, spellings=(spelling,))).run(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: [ok, error]",
        sessions="{killer: {user: administrator}, victim: {user: administrator}}",
    )
    assert (result.verdict, sent(result), b"KILL" in wire.heard) == (Verdict.INCONCLUSIVE, [], False)
    assert result.reason.startswith("not sent: ")


@pytest.mark.long
@pytest.mark.parametrize("said", ["'${victim.id}'", "'${stranger.id}, ${victim.id}'", "'${victim.id + 4294967296}'"])
@pytest.mark.parametrize("user", ["{user: administrator}", "{}"], ids=["administrators", "own-users"])
def test_an_id_that_a_foreign_session_has_now_is_never_sent(tmp_path: Path, said: str, user: str) -> None:
    """Somebody else ends the victim, and a newcomer gets its id, before the case comes to its statement."""
    with simulator("--variant", "small-ids-reused") as dsn, contextlib.ExitStack() as stack:
        wire = RecordingProxy(dsn)
        stack.callback(wire.close)
        case = load_cases(case_file(tmp_path, said, user))[0]
        target = Target(wire.dsn, load_profile("oceanbase-oracle"), LIMITS)
        stack.callback(target.close)
        sessions = CaseSessions(case, target, Transcript())
        stack.callback(sessions.clean_up)
        sessions.set_up()
        victim = sessions.id_of("victim")
        other, _ = stack.enter_context(somebody_else(dsn))
        assert other.execute(f"ALTER SYSTEM KILL SESSION '{victim}'", PATIENCE) == Ok()
        heir = taker(dsn, victim, stack)
        wire.heard.clear()
        timeouts = AdaptiveLimits(LIMITS)
        step_runner = StepRunner(
            sessions,
            SessionChecks(sessions, timeouts, IdleTimeout(target)),
            timeouts,
            find_register(case.place.path).vocabulary,
        )
        with pytest.raises(InconclusiveError, match=r"not sent: .*not a session of this case"):
            step_runner.run(case.steps)
        assert b"KILL" not in wire.heard
        assert isinstance(heir.execute("SELECT 1 FROM DUAL", PATIENCE), Rows)


EXECUTES = b"\x0a\0\0\0\x17"
"""How the packet begins that executes a prepared statement without parameters."""


@pytest.mark.parametrize("taken", [False, True], ids=["still-there", "taken-over"])
def test_a_prepared_statement_is_executed_unless_a_foreign_session_has_its_id_now(
    tmp_path: Path, *, taken: bool
) -> None:
    with simulator("--variant", "small-ids-reused") as dsn, contextlib.ExitStack() as stack:
        wire = RecordingProxy(dsn)
        stack.callback(wire.close)
        path = case_file(tmp_path, "'${victim.id}'", "{}")
        text = path.read_text("utf-8").replace("reply: ok", "prepare: true\n      - {execute: killer, reply: ok}")
        path.write_text(text, "utf-8")
        (case,) = load_cases(path)
        target = Target(wire.dsn, load_profile("oceanbase-oracle"), LIMITS)
        stack.callback(target.close)
        sessions = CaseSessions(case, target, Transcript())
        stack.callback(sessions.clean_up)
        sessions.set_up()
        timeouts = AdaptiveLimits(LIMITS)
        step_runner = StepRunner(
            sessions,
            SessionChecks(sessions, timeouts, IdleTimeout(target)),
            timeouts,
            find_register(case.place.path).vocabulary,
        )
        step_runner.run(case.steps[:1])
        if not taken:
            step_runner.run(case.steps[1:])
            assert EXECUTES in wire.heard
            return
        victim = sessions.id_of("victim")
        other, _ = stack.enter_context(somebody_else(dsn))
        assert other.execute(f"ALTER SYSTEM KILL SESSION '{victim}'", PATIENCE) == Ok()
        heir = taker(dsn, victim, stack)
        with pytest.raises(InconclusiveError, match=r"not sent: .*not a session of this case"):
            step_runner.run(case.steps[1:])
        assert EXECUTES not in wire.heard
        assert isinstance(heir.execute("SELECT 1 FROM DUAL", PATIENCE), Rows)


def taker(dsn: Dsn, wanted: str, stack: contextlib.ExitStack) -> Session:
    """A foreign session that gets this id, which rests for a second first."""
    found: list[Session] = []

    def comes() -> bool:
        time.sleep(0.1)
        session, own = stack.enter_context(somebody_else(dsn))
        if own == wanted:
            found.append(session)
        return bool(found)

    assert eventually(comes)
    return found[0]


def case_file(folder: Path, said: str, user: str) -> Path:
    (folder / "requirements.yaml").write_text((ROOT / "cases/requirements.yaml").read_text("utf-8"), "utf-8")
    path = folder / "case.yaml"
    path.write_text(
        "format: 1\ncases:\n  - id: the-case\n    requirement: PUR-1\n    title: something holds\n    sessions: "
        f"{{killer: {{user: administrator}}, victim: {user}, stranger: {{}}}}\n    steps:\n"
        f'      - killer: "ALTER SYSTEM KILL SESSION {said}"\n        reply: ok\n    ends: [victim]\n',
        "utf-8",
    )
    return path
