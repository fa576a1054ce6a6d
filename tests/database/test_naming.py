"""Names for what the suite makes on a server."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from runner.database.naming import (
    PREFIX,
    Names,
    created_at,
    in_small_letters,
    is_same_name,
    needs_quotes,
    run_mark_of,
)
from tests.support.paths import ROOT


def test_names_stay_within_thirty_bytes_for_as_many_as_a_run_can_use() -> None:
    names = Names()
    assert all(len(names.new().encode()) <= 30 for _ in range(10_000))


def test_a_name_needs_no_quotes_anywhere_and_is_upper_case() -> None:
    assert re.fullmatch(r"KSC_[A-Z0-9]{11}_0001", Names().new())


def test_names_are_unique_and_contain_the_mark_of_their_run() -> None:
    names = Names()
    made = [names.new() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(name.startswith(PREFIX) and run_mark_of(name) == names.run_mark for name in made)


def test_an_extended_name_begins_with_the_other_name_and_is_unique() -> None:
    names = Names()
    made = [names.new() for _ in range(500)]
    longer = [names.extended(name) for name in made]
    assert all(long.startswith(name) for long, name in zip(longer, made, strict=True))
    assert len({*made, *longer, *(names.new() for _ in range(10_000))}) == 11_000
    assert all(
        run_mark_of(name) == names.run_mark and created_at(name) is not None and len(name) <= 30 for name in longer
    )
    assert names.extended(made[0]) != longer[0]


def test_processes_that_start_together_make_different_names() -> None:
    program = "from runner.database.naming import Names\nprint(Names().new())"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    made = [process.communicate(timeout=60)[0] for process in processes]
    assert len(set(made)) == 8


def test_runs_of_one_process_make_different_names() -> None:
    assert len({Names().new() for _ in range(200)}) == 200


def test_a_name_contains_its_own_creation_time_not_that_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names()
    long_ago = int(time.time()) - 7200
    with monkeypatch.context() as earlier:
        earlier.setattr("time.time", lambda: long_ago)
        assert created_at(names.new()) == long_ago
    before = int(time.time())
    name = names.new()
    told = created_at(name)
    assert told is not None
    assert before <= told <= int(time.time())
    assert created_at(name.lower()) == told


def test_a_name_in_small_letters_keeps_its_prefix_its_time_and_its_run_mark() -> None:
    names = Names()
    name = names.new()
    small = in_small_letters(name)
    assert re.fullmatch(r"KSC_[a-z0-9]{11}_0001", small)
    assert (created_at(small), run_mark_of(small)) == (created_at(name), names.run_mark)
    assert (needs_quotes(small), needs_quotes(name), needs_quotes(name.lower())) == (True, False, False)


def test_only_a_name_that_needs_quotes_differs_from_the_same_one_in_another_letter_case() -> None:
    name = Names().new()
    assert is_same_name(name, name.lower())
    assert is_same_name(in_small_letters(name), in_small_letters(name))
    assert not is_same_name(name, in_small_letters(name))
    assert not is_same_name(in_small_letters(name), name.lower())


NOT_OURS = [
    *("", "KSC", "KSC_", "KSC_12345", "SYS", "XKSC_T6G000AAAAA_1", "KSCX_T6G000AAAAA_1", "KSC_ABC-EFGHIJK_1"),
    *("KSC_BACKUP", "KSC_REPORTS_2025", "KSC_T6G000AAAAA", "KSC_T6G000AAAAA_", "KSC_T6G000AAAAA_X", "KSC_T6G000AAAA_1"),
    *("KSC_T6G000AAAAA_1 ", "KSC_T6G000AAAAA_1X", "Ksc_T6G000AAAAA_1", "KSC_000000AAAAA_1", "KSC_BACKUPAAAAA_1"),
    "KSC_t6g000AAAAA_1",
]


@pytest.mark.parametrize("name", NOT_OURS)
def test_a_name_that_the_suite_did_not_create_has_no_creation_time(name: str) -> None:
    assert created_at(name) is None
