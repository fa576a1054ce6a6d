"""The suite through a proxy: the same verdicts as without one; or, where ODP makes up the list, none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.own_cases import number_of_cases
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_suite

Start = Callable[..., str]
PLAIN = ("--variant", "behind-plain-proxy")
LISTS_ITSELF = ("--environment", "odp-with-default-settings")
REMEDIES = ("client_session_id_version=2", "proxy_id", "observer's own port")


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a simulator with options; the answer is the DSN."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(simulator(*options))


@pytest.mark.long
@pytest.mark.parametrize(
    ("proxy", "cases"), [(("--behind-proxy",), ()), (PLAIN, ("-m", "should"))], ids=["ODP", "another"]
)
def test_every_case_is_decided_as_on_the_server_itself(
    tmp_path: Path, start: Start, proxy: tuple[str, ...], cases: tuple[str, ...]
) -> None:
    """Behind another proxy than ODP, the proof shows it of all cases but those of level should."""
    options = ("--strict", "-n", "2", "--send-withheld", *cases)
    run = run_suite(tmp_path / "record.json", *options, "--dsn", start(*proxy))
    assert run.code == 0, run.screen
    found = {(row["level"] == "observe", row["verdict"]) for row in run.record["results"]}
    assert found == {(False, "conforms")} | ({(True, "observed")} if not cases else set()), run.screen


@pytest.mark.parametrize("in_flight", ["1", "8"])
def test_an_ok_without_effect_is_inconclusive_where_ids_are_not_tied_to_connections(
    tmp_path: Path, start: Start, in_flight: str
) -> None:
    """The statement may have reached another server; then no further one is sent, as the id may be somebody else's."""
    options = ["--requirement", "SYN-2", "--requirement", "SYN-3", "--settle", "1", "--in-flight", in_flight]
    run = run_suite(tmp_path / "record.json", *options, "--dsn", start(*PLAIN, "--defect", "does-nothing"))
    assert ("cases run one at a time" in run.screen) == (in_flight != "1"), run.screen
    assert run.code == 1, run.screen
    assert {row["verdict"] for row in run.record["results"]} == {"inconclusive"}, run.screen
    assert "the statement may have reached another server" in run.screen
    assert sum("KILL" in event["text"] for row in run.record["results"] for event in row["transcript"]) == 1


DEFECTS = {
    "leaves-the-row": "PUR-1",
    "closes-the-sending-half-only": "PUR-1",
    "needs-no-privilege": "PUR-2",
    "ends-one-more": "PAR-1",
    "refuses-immediate": "SYN-3",
}


@pytest.mark.long
@pytest.mark.parametrize(("defect", "requirement"), DEFECTS.items(), ids=list(DEFECTS))
def test_a_defect_is_detected_for_its_requirement(tmp_path: Path, start: Start, defect: str, requirement: str) -> None:
    options = ["--requirement", requirement, "--settle", "1", "--statement-limit", "2", "--maxfail", "3"]
    run = run_suite(tmp_path / "record.json", *options, "--dsn", start(*PLAIN, "--defect", defect))
    assert run.code == 1, run.screen
    assert run.results(verdict="deviates", requirement=requirement), run.screen
    assert not run.results(verdict="inconclusive"), run.screen


# ODP with its default settings


def test_where_odp_creates_the_process_list_a_run_stops_before_any_verdict_and_names_the_remedies(
    tmp_path: Path, start: Start
) -> None:
    run = run_suite(tmp_path / "record.json", "--dsn", start(*LISTS_ITSELF))
    assert run.code == 4, run.screen
    assert run.record["results"] == []
    for remedy in REMEDIES:
        assert remedy in run.screen


@pytest.mark.long
def test_a_run_with_anyway_has_no_deviation_and_sends_no_statement_that_kills_sessions(
    tmp_path: Path, start: Start
) -> None:
    run = run_suite(tmp_path / "record.json", "--anyway", "--strict", "-n", "2", "--dsn", start(*LISTS_ITSELF))
    assert run.code == 1, run.screen
    assert len(run.record["results"]) == number_of_cases()
    assert not run.results(verdict="deviates"), run.screen
    undecided = run.results(verdict="inconclusive")
    assert len(undecided) > number_of_cases() / 2
    assert all(REMEDIES[0] in row["reason"] for row in undecided), run.screen
    sent = [event["text"] for row in run.record["results"] for event in row["transcript"] if event["kind"] == "sends"]
    assert not any("KILL SESSION" in text for text in sent)
