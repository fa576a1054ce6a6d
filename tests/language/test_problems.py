"""Messages for files that are not in the language, where ``tests/format/invalid`` can't hold the files.

In the texts, @@ marks the place that the error has to name; it is not part of the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.language.case_files import load_cases, refuse_duplicates
from runner.language.problems import Place, SourceError
from runner.language.register import find_register
from tests.language.case_texts import REGISTER, VALID, one_case, write


def placed(text: str) -> tuple[str, int, int]:
    """A text without the mark @@, and the line and column of the mark."""
    before, mark, after = text.partition("@@")
    assert mark, "the test names no place"
    return before + after, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1


BAD = {
    "an empty file": ("@@", "the file has no content"),
    "itself": ("@@&all [*all]\n", "nested too deeply"),
    "a null byte": ("@@format: 1\nabout: \0\n", "broken YAML"),
    "a colon": (VALID.replace("something holds", "this@@: that"), "broken YAML"),
}


@pytest.mark.parametrize(("text", "what"), BAD.values(), ids=list(BAD))
def test_an_invalid_file_is_refused_with_its_place(tmp_path: Path, text: str, what: str) -> None:
    content, line, column = placed(text)
    path = write(tmp_path, content)
    with pytest.raises(SourceError) as caught:
        load_cases(path)
    assert (caught.value.place, what in caught.value.what) == (Place(path, line, column), True), str(caught.value)


def test_an_unclosed_quote_is_reported_at_its_beginning(tmp_path: Path) -> None:
    before, _, after = one_case("requirement: MUS-1\nsteps:\n  - killer: @@'SELECT 1").partition("@@")
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, before + after))
    assert "broken YAML" in caught.value.what
    assert caught.value.place.line == before.count("\n") + 1, str(caught.value)


def test_a_number_of_any_length_is_a_problem_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, VALID.replace("repeat: 2", "repeat: " + "1" * 5000)))
    assert caught.value.place.line == VALID[: VALID.index("repeat: 2")].count("\n") + 1


def test_a_newer_format_is_reported_before_its_unknown_keys(tmp_path: Path) -> None:
    newer = VALID.replace("format: 1", "format: 2").replace("about:", "summary:")
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, newer))
    assert "unknown format 2" in caught.value.what


def test_an_id_in_two_files_is_reported_at_its_second_use_with_the_first(tmp_path: Path) -> None:
    first, second = write(tmp_path, VALID, "one.yaml"), write(tmp_path, VALID, "two.yaml")
    cases = [*load_cases(first), *load_cases(second)]
    with pytest.raises(SourceError) as caught:
        refuse_duplicates(cases)
    assert caught.value.place == Place(second, 7, 5)
    assert str(Place(first, 7, 5)) in caught.value.what


def test_the_ids_of_one_file_are_no_duplicates(tmp_path: Path) -> None:
    refuse_duplicates(load_cases(write(tmp_path, VALID)))


def test_a_nonexistent_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.yaml:1:1: can't be read: No such file"):
        load_cases(tmp_path / "missing.yaml")


def test_a_folder_in_a_files_place_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read: Is a directory"):
        load_cases(tmp_path)


BYTES = {
    "Latin-1": VALID.replace("something", "\u00e4").encode("latin-1"),
    "UTF-16": VALID.encode("utf-16"),
    "a cut letter": VALID.encode() + "\u4e2d".encode()[:2],
    "no text at all": bytes(range(256)),
}


@pytest.mark.parametrize("content", BYTES.values(), ids=list(BYTES))
def test_a_file_that_is_not_utf_8_is_refused_with_the_position_of_the_byte(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match=r"is not UTF-8 text \(byte [0-9]+\)\n +hint: save the file as UTF-8"):
        load_cases(write(tmp_path, content))


def test_cases_without_a_register_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, VALID, register=None)
    with pytest.raises(SourceError, match=r"no requirements\.yaml in this folder or above it"):
        load_cases(path)


REGISTERS = {
    "unknown level": (REGISTER.replace("level: must", "@@level: shall"), "expected must or should or observe"),
    "no level": (REGISTER.replace("MUS-1: {level: must, ", "@@MUS-1: {"), "'level' is missing"),
    "nothing said": (REGISTER.replace('text: "it must"', '@@text: ""'), "must not be empty"),
    "newer format": (REGISTER.replace("format: 1", "@@format: 3"), "unknown format 3"),
    "no words": (REGISTER.replace("words:", "@@wrds:"), "unknown key 'wrds'"),
    "two guarded words": (REGISTER.replace("guarded: KILL", "@@guarded: KILL|END"), "it must match"),
    "a requirement about refused senders that does not exist": (
        REGISTER.replace("requirements:", "@@refused_senders: SHO-2\nrequirements:", 1),
        "'SHO-2' is no requirement of this register",
    ),
    "a requirement that judges kills and does not exist": (
        REGISTER.replace(
            "requirements:",
            "kills: {cases: [first], gone: [@@SHO-2], accepted: [MUS-1], answered: [MUS-1],\n"
            "  known: [MUS-1], unknown_error: privilege}\n"
            "requirements:",
            1,
        ),
        "'SHO-2' is no requirement of this register",
    ),
    "requirement twice": (REGISTER.replace("  SHO-1", "  @@MUS-1"), "'MUS-1' is duplicate"),
}


@pytest.mark.parametrize(("text", "what"), REGISTERS.values(), ids=list(REGISTERS))
def test_an_invalid_register_is_refused_at_its_place(tmp_path: Path, text: str, what: str) -> None:
    before, _, after = text.partition("@@")
    path = write(tmp_path, VALID, register=before + after)
    with pytest.raises(SourceError) as caught:
        find_register(path)
    register = path.with_name("requirements.yaml").resolve()
    assert caught.value.place == Place(register, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    assert what in caught.value.what


def test_a_problem_is_shown_with_the_path_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "hello\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"^cases/file\.yaml:1:1: .*\n    hint: "):
        load_cases(path)
