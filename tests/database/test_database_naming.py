"""Names for what the suite makes on a server."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.database.naming import PREFIX, Names, born, new_password

ROOT = Path(__file__).resolve().parents[2]


def test_names_stay_within_thirty_bytes_for_as_many_as_a_run_can_use() -> None:
    names = Names()
    assert all(len(names.new().encode()) <= 30 for _ in range(10_000))


def test_a_name_needs_no_quotes_anywhere_and_is_upper_case() -> None:
    assert re.fullmatch(r"KSC_[A-Z0-9]{11}_1", Names().new())


def test_no_name_is_given_twice_and_all_start_with_the_runs_prefix() -> None:
    names = Names()
    made = [names.new() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(name.startswith(names.prefix) and name.startswith(PREFIX) for name in made)


def test_processes_that_start_together_make_different_names() -> None:
    program = "from runner.database.naming import Names\nprint(Names().new())"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    made = [process.communicate(timeout=60)[0] for process in processes]
    assert len(set(made)) == 8


def test_runs_of_one_process_make_different_names() -> None:
    assert len({Names().prefix for _ in range(200)}) == 200


def test_a_name_tells_when_its_run_began() -> None:
    before = int(time.time())
    name = Names().new()
    told = born(name)
    assert told is not None
    assert before <= told <= int(time.time())
    assert born(name.lower()) == told


@pytest.mark.parametrize("name", ["", "KSC_", "KSC_12345", "SYS", "XKSC_000000AAAAA_1", "KSC_ABC-EFGHIJK_1", "KSC"])
def test_who_was_not_made_by_the_suite_has_no_birth(name: str) -> None:
    assert born(name) is None


def test_a_password_needs_no_quotes_and_survives_folding_of_letters() -> None:
    passwords = {new_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(re.fullmatch(r"[a-z][a-z0-9]{15,29}", password) for password in passwords)
