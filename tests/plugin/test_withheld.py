"""Withheld statements are sent only with --send-withheld, or to the embedded simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.profile import load_profile
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_command, run_suite

BARE = "not-in-the-syntax[no-quotes]"
SYNTAX = ("--requirement", "SYN-6", "--strict", "-k", "quote or immediate")


@pytest.mark.long
def test_a_bare_number_is_not_sent_to_a_target_of_the_default_profile(tmp_path: Path) -> None:
    with simulator("--defect", "takes-ids-without-quotes") as dsn:
        kept = run_suite(tmp_path / "kept.json", "--dsn", dsn, *SYNTAX)
        sent = run_suite(tmp_path / "sent.json", "--dsn", dsn, *SYNTAX, "--send-withheld")
        examined = run_command("doctor", "--dsn", dsn)
    assert kept.code == 0, kept.screen
    assert kept.result(BARE)["verdict"] == "not applicable"
    assert "not sent without --send-withheld: a bare number" in kept.result(BARE)["reason"]
    assert [row["name"] for row in kept.results(verdict="not applicable")] == [BARE]
    assert sent.code == 1
    assert sent.result(BARE)["verdict"] == "deviates"
    assert f"note: {BARE}: not sent without --send-withheld" in examined.screen


def test_the_embedded_simulator_is_sent_everything(tmp_path: Path) -> None:
    whole = run_suite(tmp_path / "record.json", *SYNTAX)
    assert whole.code == 0, whole.screen
    assert whole.result(BARE)["verdict"] == "conforms"


def test_immediate_without_an_id_may_be_an_unknown_name(tmp_path: Path) -> None:
    with simulator("--variant", "immediate-is-a-name") as dsn:
        named = run_suite(tmp_path / "record.json", "--dsn", dsn, *SYNTAX)
    assert named.code == 0, named.screen
    assert named.result("immediate-but-no-id")["verdict"] == "conforms"


@pytest.mark.parametrize(
    ("statement", "withheld"),
    [
        ("ALTER SYSTEM KILL SESSION 123", True),
        ("alter system kill session 123;", True),
        ("ALTER SYSTEM KILL/**/SESSION/**/123", True),
        ("ALTER SYSTEM KILL SESSION /* one */ 123 IMMEDIATE", True),
        ("ALTER SYSTEM KILL SESSION -- one\n123", True),
        ("BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM KILL SESSION 123'; END;", True),
        ("ALTER SYSTEM KILL SESSION '123'", False),
        ("ALTER SYSTEM KILL SESSION '123' IMMEDIATE;", False),
        ("ALTER SYSTEM KILL SESSION '123, 4'", False),
        ("ALTER SYSTEM KILL SESSION 123, 4", False),  # OceanBase's parser refuses these before it looks at the number
        ("ALTER SYSTEM KILL SESSION 123'", False),
        ("ALTER SYSTEM KILL SESSION '123", False),
        ("KILL 123", False),
    ],
)
def test_only_a_kill_with_a_bare_number_is_withheld(statement: str, *, withheld: bool) -> None:
    assert (load_profile("oceanbase-oracle").withholds(statement) is not None) is withheld
    assert all(load_profile(name).withholds(statement) is None for name in ("mariadb", "seekdb"))
