"""Users and tables of earlier cases: who gets them, who doesn't, and that they decide nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database.administrator_session import TargetError
from runner.database.naming import Names
from runner.database.outcome import Outcome, Rows
from runner.database.process_list import ProcessList
from runner.database.profile import Profile, load_profile
from runner.database.target import Target
from runner.execution import fixture_pool
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.case_runner import CaseRunner
from runner.execution.fixture_pool import CaseChanges
from runner.language.model import Case
from tests.execution.case_bench import LIMITS, Bench, simulator, somebody_else
from tests.support.own_cases import case_named, cases

QUICK = replace(LIMITS, retry=1.0)  # seconds; what is refused for good need not be tried for long
TABLE = "change-is-rolled-back[update]"


class Trial:
    """Cases that one case runner runs, one after the other, and what is left on the server afterwards."""

    def __init__(self, bench: Bench, profile: Profile | None = None) -> None:
        self.bench = bench
        self._target = Target(bench.dsn, profile or load_profile("oceanbase-oracle"), QUICK, Names())
        self.case_runner = CaseRunner(self._target)

    def run(self, name: str | Case) -> CaseResult:
        return self.case_runner.run(case_named(name) if isinstance(name, str) else name)

    def end(self) -> None:
        self.case_runner.remove_kept()
        self._target.close()


@contextmanager
def trial(folder: Path, *options: str) -> Iterator[Trial]:
    with simulator(*options) as dsn:
        made = Trial(Bench(folder, dsn))
        try:
            yield made
        finally:
            made.end()
            assert made.bench.users() == ()


def users(result: CaseResult) -> set[str]:
    return {value for key, value in result.identifiers.items() if key.startswith("user of ")}


def own(requirement: str) -> list[Case]:
    return [case for case in cases() if case.requirement.id == requirement]


def test_a_case_gets_the_users_and_the_table_of_an_earlier_one(tmp_path: Path) -> None:
    with trial(tmp_path) as cases:
        first, second = cases.run(TABLE), cases.run(TABLE)
        assert first.verdict is second.verdict is Verdict.CONFORMS
        assert users(first) == users(second)
        assert first.identifiers["table"] == second.identifiers["table"]
        texts = [[event.text for event in each.transcript if event.kind == "prepares"] for each in (first, second)]
        assert texts[0] == texts[1]  # with users of their own or of others, cases have the same transcript
        assert any(text.startswith("CREATE USER") for text in texts[1])


def test_a_user_that_a_case_changed_is_not_used_again(tmp_path: Path) -> None:
    with trial(tmp_path) as cases:
        revoking = case_named("revoked-privilege-is-gone")
        changing = cases.run(revoking)
        assert changing.verdict is Verdict.CONFORMS
        names = {f"user of {name}" for name in CaseChanges.of(revoking).users}
        changed = {value for key, value in changing.identifiers.items() if key in names}
        assert changed
        later = [cases.run(case) for case in own("IMP-1")]
        assert changed.isdisjoint(set().union(*map(users, later)))


def test_a_user_with_a_quoted_name_is_used_again_only_where_a_case_needs_one(tmp_path: Path) -> None:
    with trial(tmp_path) as cases:
        first, others = cases.run("session-of-a-quoted-user-ends"), cases.run("idle-session-ends")
        second = cases.run("session-of-a-quoted-user-ends")
        assert first.verdict is second.verdict is others.verdict is Verdict.CONFORMS
        assert users(first) == users(second)
        assert users(first).isdisjoint(users(others))


def test_users_whose_names_differ_in_their_letter_case_are_not_used_again(tmp_path: Path) -> None:
    with trial(tmp_path) as cases:
        alike = cases.run("quoted-name-like-a-holders")
        assert alike.verdict is Verdict.CONFORMS
        later = [cases.run(case) for case in own("IMP-1")]
        assert {alike.identifiers[f"user of {name}"] for name in ("holder", "small")}.isdisjoint(
            set().union(*map(users, later))
        )


def test_the_users_of_a_deviating_case_are_not_used_again(tmp_path: Path) -> None:
    with trial(tmp_path, "--defect", "unknown-id-is-answered-ok") as cases:
        deviating = cases.run(own("IMP-1")[0])
        assert deviating.verdict is Verdict.DEVIATES
        later = cases.run(TABLE)
        assert later.verdict is Verdict.CONFORMS
        assert users(deviating).isdisjoint(users(later))


@pytest.mark.long
@pytest.mark.parametrize("defect", ["locks-the-user-out-after-five", "takes-the-users-privileges"])
def test_verdicts_do_not_depend_on_changes_that_a_server_makes_to_reused_users(tmp_path: Path, defect: str) -> None:
    """One case alone would not notice it: five of its user's sessions are killed, or its privilege is revoked."""
    wanted = [case for case in own("PUR-1") if len(users_of(case)) > 1][:8]
    with trial(tmp_path, "--defect", defect) as cases:
        alone = {}
        for case in wanted:
            with trial(tmp_path, "--defect", defect) as one:
                alone[case.name] = one.run(case).verdict
        assert {case.name: cases.run(case).verdict for case in wanted} == alone


def users_of(case: Case) -> list[str]:
    return [spec.name for spec in case.sessions if spec.same_user_as is None]


def test_users_and_tables_that_are_too_old_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with trial(tmp_path) as cases:
        first = cases.run(TABLE)
        monkeypatch.setattr(fixture_pool, "_LIFETIME", -1.0)
        second = cases.run(TABLE)
        assert users(first).isdisjoint(users(second))
        assert first.identifiers["table"] != second.identifiers["table"]
        left = {row[0] for row in cases.bench.users()}
        assert left == users(second)


def a_list(*users_shown: str) -> ProcessList:
    return ProcessList.read(
        Rows(("ID", "USER"), tuple((str(place), user) for place, user in enumerate(users_shown, 1)))
    )


def test_a_user_is_lent_once_and_only_if_a_list_read_since_shows_no_session_of_it() -> None:
    spec = case_named(TABLE).sessions[0]
    pool, account = fixture_pool.FixturePool(), fixture_pool.Account("KSC_T6G000AAAAA_0001", "unused")
    before = time.monotonic()
    assert not pool.has_unused(spec)
    pool.take_back(spec, account)
    assert pool.has_unused(spec)
    after = time.monotonic() + 1
    assert pool.lend(spec, a_list("SYS", account.user), after) is None
    assert pool.lend(spec, a_list("SYS"), before) is None  # it may have had a session since
    assert pool.lend(spec, a_list("SYS"), after) is account
    assert pool.lend(spec, a_list("SYS"), after) is None


def test_a_case_with_a_table_gets_users_with_rights_to_it_and_other_cases_get_users_without() -> None:
    spec = case_named(TABLE).sessions[0]
    pool = fixture_pool.FixturePool()
    made = [fixture_pool.Account(f"KSC_T6G000AAAAA_{number:04}", "unused") for number in range(4)]
    for account in made:
        pool.take_back(spec, account)
    elsewhere, here, mate, free = (account.user for account in made)
    pool.take_back_table(fixture_pool.Table("T1", "T1", {elsewhere}))
    pool.take_back_table(fixture_pool.Table("T2", "T2", {here, mate}))
    after = time.monotonic() + 1
    assert pool.lend(spec, a_list("SYS"), after, case_users=[mate]) is made[1]
    assert pool.lend(spec, a_list("SYS"), after, case_users=None) is made[3], free
    assert pool.lend(spec, a_list("SYS"), after, case_users=[]) is made[0]


def test_users_that_cannot_be_removed_at_the_end_are_reported_with_the_reply(tmp_path: Path) -> None:
    oracle = load_profile("oceanbase-oracle")
    profile = replace(oracle, sql={**oracle.sql, "drop_user": ("DROP USER {user}X CASCADE",)})
    with simulator() as dsn:
        kept = Trial(Bench(tmp_path, dsn), profile)
        names = users(kept.run(TABLE))
        left = kept.case_runner.remove_kept()
        assert len(left) == len(names)
        assert all(f"DROP USER {name}X CASCADE: error " in "\n".join(left) for name in names)


def test_a_table_in_which_a_killed_session_has_left_a_lock_is_not_used_again(tmp_path: Path) -> None:
    with trial(tmp_path, "--defect", "leaves-the-transaction") as cases:
        holding = cases.run("session-in-transaction-ends")
        assert holding.verdict is Verdict.CONFORMS  # it is not about the lock
        later = cases.run("no-warning-of-an-earlier-statement")
        assert later.verdict is Verdict.CONFORMS, later.reason
        assert later.identifiers["table"] != holding.identifiers["table"]


def test_after_three_tables_with_left_locks_no_table_is_lent() -> None:
    pool = fixture_pool.FixturePool()
    pool.take_back_table(fixture_pool.Table("T1", "T1"))
    for _ in range(2):
        pool.note_locked_table()
    table = pool.lend_table([])
    assert table is not None
    pool.take_back_table(table)
    pool.note_locked_table()
    assert pool.lend_table([]) is None


def test_a_table_is_removed_if_the_administrator_cannot_log_in_while_it_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_self: Target, _statement: str) -> Outcome:
        raise TargetError("the administrator can't log in")

    with trial(tmp_path) as cases:
        assert cases.run(TABLE).verdict is Verdict.CONFORMS
        with monkeypatch.context() as patch:
            patch.setattr(Target, "administer_quickly", unreachable)
            assert cases.run(TABLE).verdict is not Verdict.DEVIATES
        assert cases.case_runner.remove_kept() == []
        with somebody_else(cases.bench.dsn) as (session, _):
            tables = session.execute("SELECT TABLE_NAME FROM USER_TABLES WHERE TABLE_NAME LIKE 'KSC_%'", 10.0)
        assert isinstance(tables, Rows), tables
        assert tables.values == ()
