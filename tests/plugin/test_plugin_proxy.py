"""The suite through a proxy: the same verdicts as without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from suite import run_suite

from runner.plugin.embedded import EmbeddedSimulator

Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a simulator behind its proxy, with options; the answer is the DSN."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(_proxied(*options))


@contextmanager
def _proxied(*options: str) -> Iterator[str]:
    simulator = EmbeddedSimulator("--behind-proxy", *options)
    try:
        yield simulator.dsn
    finally:
        simulator.stop()


def test_every_case_is_decided_as_on_the_server_itself(tmp_path: Path, start: Start) -> None:
    run = run_suite(tmp_path / "record.json", "--strict", "--dsn", start())
    assert run.code == 0, run.screen
    found = {(row["level"] == "observe", row["verdict"]) for row in run.record["results"]}
    assert found == {(False, "conforms"), (True, "observed")}, run.screen


def test_an_ok_without_effect_is_not_blamed_on_the_server_where_ids_are_not_tied_to_connections(
    tmp_path: Path, start: Start
) -> None:
    """The statement may have reached another server; then no further one is sent, as the id may be somebody else's."""
    options = ["--requirement", "SYN-2", "--requirement", "SYN-3", "--settle", "1"]
    run = run_suite(tmp_path / "record.json", *options, "--dsn", start("--defect", "does-nothing"))
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


@pytest.mark.parametrize(("defect", "requirement"), DEFECTS.items(), ids=list(DEFECTS))
def test_a_defect_is_caught_for_its_requirement(tmp_path: Path, start: Start, defect: str, requirement: str) -> None:
    options = ["--requirement", requirement, "--settle", "1", "--statement-limit", "2"]
    run = run_suite(tmp_path / "record.json", *options, "--dsn", start("--defect", defect))
    assert run.code == 1, run.screen
    assert run.results(verdict="deviates", requirement=requirement), run.screen
    assert not run.results(verdict="inconclusive"), run.screen
