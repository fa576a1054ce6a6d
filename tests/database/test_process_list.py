"""Process lists are read correctly with all columns and types that servers give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.database.outcome import Rows
from runner.database.process_list import ProcessList, normal_id

PAGE = ("ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO")
ROW = ("3221487726", "SYS", "10.0.0.1:5", None, "Query", "0", "ACTIVE", "SHOW PROCESSLIST")

LISTS = {
    "as in the specification": Rows(PAGE, (ROW,)),
    "in MySQL's letter case": Rows(tuple(name.capitalize() for name in PAGE), (ROW,)),
    "with other columns behind": Rows((*PAGE, "IP", "PROXY_ID"), ((*ROW, "x", "1"),)),
    "with other columns in front": Rows(("TENANT", *PAGE), (("t", *ROW),)),
    "in another order": Rows(tuple(reversed(PAGE)), (tuple(reversed(ROW)),)),
    "with a decimal id": Rows(PAGE, (("3221487726.000", *ROW[1:]),)),
    "with blanks around the id": Rows(PAGE, ((" 3221487726 ", *ROW[1:]),)),
    "with other names for the first two": Rows(("SID", "USERNAME", *PAGE[2:]), (ROW,)),
}


@pytest.mark.parametrize("answer", LISTS.values(), ids=list(LISTS))
def test_a_session_is_found_in_a_list(answer: Rows) -> None:
    shown = ProcessList.read(answer)
    (row,) = shown.rows
    assert (row.id, row.user) == ("3221487726", "SYS")
    assert shown.with_id("3221487726") == list(shown.of_user("sys")) == [row]
    assert row.activity == ("Query", "ACTIVE", "SHOW PROCESSLIST")
    assert row.get("Host") == row.get("HOST") == "10.0.0.1:5"
    assert row.get("db") is None
    assert row.get("nothing like it") is None
    assert shown.columns == answer.columns


def test_a_process_list_with_unknown_columns_has_rows_without_user_and_activity() -> None:
    (row,) = ProcessList.read(Rows(("X",), (("7",),))).rows
    assert (row.id, row.user, row.activity) == ("7", "", (None, None, None))


def test_a_null_id_or_user_is_an_empty_text() -> None:
    (row,) = ProcessList.read(Rows(("ID", "USER"), ((None, None),))).rows
    assert (row.id, row.user) == ("", "")


def test_an_empty_list_has_no_rows() -> None:
    assert ProcessList.read(Rows(PAGE, ())).rows == ()


def test_two_sessions_under_one_id_are_both_found() -> None:
    shown = ProcessList.read(Rows(("ID", "USER"), (("1", "A"), ("1", "B"), ("11", "C"))))
    assert [row.user for row in shown.with_id("1")] == ["A", "B"]


USERS = [("KSC_1", True), ("ksc_1", True), ("KSC_1@tenant", True), ("KSC_12", False), ("XKSC_1", False), ("", False)]


@pytest.mark.parametrize(("listed", "found"), USERS)
def test_a_user_is_found_by_its_whole_name_with_or_without_a_tenant(listed: str, found: bool) -> None:
    shown = ProcessList.read(Rows(("ID", "USER"), (("1", listed),)))
    assert bool(list(shown.of_user("KSC_1"))) is found


def test_a_user_with_a_quoted_name_is_not_the_user_with_the_same_name_in_capitals() -> None:
    names = ["KSC_T6G000AAAAA_1", "KSC_t6g000aaaaa_1", "KSC_t6g000aaaaa_1@tenant"]
    shown = ProcessList.read(Rows(("ID", "USER"), tuple((str(number), name) for number, name in enumerate(names))))
    assert [row.id for row in shown.of_user(names[0])] == ["0"]
    assert [row.id for row in shown.of_user(names[1])] == ["1", "2"]


@given(number=st.integers(0, 2**64), zeros=st.integers(0, 5), around=st.sampled_from(["", " ", "  "]))
def test_an_id_is_read_without_spaces_and_a_fraction_of_zeros(number: int, zeros: int, around: str) -> None:
    fraction = "." + "0" * zeros if zeros else ""
    assert normal_id(f"{around}{number}{fraction}{around}") == str(number)


@pytest.mark.parametrize("text", ["1.5", "1e3", "abc", ""])
def test_an_id_that_is_no_whole_number_is_not_changed(text: str) -> None:
    assert normal_id(text) == text
