"""On a server that reuses ids at once, no statement names a session that has ended."""

from __future__ import annotations

from pathlib import Path

from runner.simulator.components import Components
from runner.simulator.sessions import SessionIds
from runner.simulator.users_and_roles import User
from tests.support.simulator_threads import threaded_server
from tests.support.suite_run import run_suite


class LowestFreeIds(SessionIds):
    """A new session gets the lowest id that no present session has."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()

    def allocate(self) -> int:
        number = next(number for number in range(1, 1 << 16) if number not in self.taken)
        self.taken.add(number)
        return number

    def release(self, user: User | None, number: int) -> None:  # noqa: ARG002 - as in the base class
        self.taken.discard(number)


def test_no_statement_names_a_session_that_has_ended_if_ids_are_reused_at_once(tmp_path: Path) -> None:
    with threaded_server(Components().with_overrides(LowestFreeIds)) as server:
        dsn = f"oceanbase://SYS%40oracle:{server.password}@127.0.0.1:{server.port}/"
        options = ("--dsn", dsn, "--in-flight", "1", "-k", "any-history-ends or row-of-a-client-that-left-goes")
        done = run_suite(tmp_path / "record.json", *options)
    left = [row for row in done.results(case_id="row-of-a-client-that-left-goes") if row["verdict"] == "inconclusive"]
    assert len(left) > 1, done.screen
    assert all("this server reuses ids at once" in row["reason"] for row in left)
    # Sessions that are still connected can be killed: nobody else has their ids.
    assert {row["verdict"] for row in done.results(case_id="any-history-ends")} == {"conforms"}
