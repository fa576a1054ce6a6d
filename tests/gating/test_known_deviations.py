"""``--known-deviations``: what is listed fails nothing, a list that is not true fails, each with a sentence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from runner.gating.known_deviations import read_known_deviations, stale_entries, with_listing
from runner.gating.version_ranges import VersionRange, numbers_in, parts_of
from runner.language.case_files import load_cases
from runner.language.problems import SourceError
from runner.reporting.conclusion import RunResults
from runner.reporting.counts import tally
from runner.reporting.record import read_record
from runner.reporting.terminal_summary import stale_lines
from tests.gating.few_cases import read, run_cases, write_cases, write_list

CAME = "actual: 'OK, 0 rows affected', reason: 'bug 7, in the next release'"
MUST = f"case: must-deviates, {CAME}"


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A folder with a must that deviates, a should that does, and a must that conforms."""
    write_cases(tmp_path, "must-deviates", "must-conforms", "should-deviates")
    return tmp_path


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_a_known_deviation_is_reported_and_keeps_its_verdict(one: Path, dsn: str, workers: tuple[str, ...]) -> None:
    known = write_list(one, MUST + ", link: 'https://example.org/7', versions: {from: 5.7}")
    path = one / "r.json"
    done = run_cases(one, dsn, "--known-deviations", known.name, "--record", str(path), *workers)
    assert done.code == 0, done.screen
    assert "known deviations: 1 entry in known.yaml" in done.screen
    assert "1 deviates (known)" in done.screen
    assert "known: deviates SYN-2 (must) must-deviates (bug 7, in the next release): OK, 0 rows affected" in done.screen
    assert "does not conform, known deviations only (1 case listed, 1 conform)" in done.screen
    case = done.cases["must-deviates"]
    assert (case["requirement"], case["level"], case["verdict"], case["outcome"]) == (
        "SYN-2",
        "must",
        "deviates",
        "skipped",
    )
    assert (case["known-deviation"], case["known-reason"]) == ("known", "bug 7, in the next release")
    assert "known.yaml:3:5" in case["told"]
    assert "runner/" not in case["told"]
    record = read_record(path)
    (result,) = [result for result in record.results if result.name == "must-deviates"]
    assert result.verdict.value == "deviates"
    assert result.listing is not None
    assert (result.listing.standing.value, result.listing.entry) == ("known", "known.yaml:3:5")
    assert result.listing.link == "https://example.org/7"
    assert record.run.exit_code == 0


LATER = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)).isoformat()

LISTS: dict[str, tuple[list[str], int, list[str]]] = {
    "that day is still to come": ([f"{MUST}, expires: {LATER}"], 0, []),
    "a pattern": (["case: must-deviates, actual_pattern: '^OK, \\d+ rows', reason: r"], 0, []),
    "a whole requirement": (["requirement: SYN-2, actual: 'OK, 0', reason: r"], 0, []),
    "a requirement of which no case deviates": (
        [MUST, "requirement: PUR-1, actual: OK, reason: r"],
        1,
        ["known.yaml:4:5: no case of PUR-1 is deviating as listed any more ('OK'): remove the entry"],
    ),
    "one of two entries of a requirement": (
        ["requirement: SYN-2, actual: 'OK, 0', reason: r", "requirement: SYN-2, actual: error, reason: r"],
        1,
        ["known.yaml:4:5: no case of SYN-2 is deviating as listed any more ('error'): remove the entry"],
    ),
    "no such case": (
        [MUST, f"case: must-conform, {CAME}"],
        1,
        ["known.yaml:4:5: unknown case 'must-conform': did you mean 'must-conforms'?"],
    ),
    "no such requirement": ([MUST, f"requirement: PUR-99, {CAME}"], 1, ["known.yaml:4:5: unknown requirement"]),
    "a name that is exact goes first": (
        [MUST, "requirement: SYN-2, actual: error, reason: r"],
        1,
        ["known.yaml:4:5: no case of SYN-2 is deviating"],
    ),
    "another version's": ([MUST, f"case: must-conforms, versions: {{before: 5}}, {CAME}"], 0, []),
    "the version's": (
        [MUST, f"case: must-conforms, versions: {{from: 5.7, before: 5.8}}, {CAME}"],
        1,
        ["known.yaml:4:5: must-conforms is listed as deviating and conforms now: remove"],
    ),
    "not its version": (
        [f"case: must-deviates, versions: {{from: 5.7.26}}, {CAME}"],
        1,
        ["does not conform: 1 required case"],
    ),
    "another deviation": (
        ["case: must-deviates, actual: error 1227, reason: r"],
        1,
        ["known.yaml:3:5: must-deviates deviates in another way than listed (listed: 'error 1227'"],
    ),
    "a day that has gone": (
        [f"{MUST}, expires: 2001-02-03"],
        1,
        ["known.yaml:3:5: the entry for must-deviates expired on 2001-02-03: fix the target"],
    ),
    "one parameter of two": (
        [MUST, "case: 'should-deviates[one]', actual: 'OK, 0', reason: r"],
        0,
        ["EXA-6 DEVIATES 2"],
    ),
    "all parameters": ([MUST, "case: should-deviates, actual: 'OK, 0', reason: r"], 0, ["EXA-6 known 2"]),
}


@pytest.mark.parametrize(("entries", "code", "said"), LISTS.values(), ids=list(LISTS))
def test_a_list_has_to_match_the_run(
    all_verdicts: Path, tmp_path: Path, entries: list[str], code: int, said: list[str]
) -> None:
    known = read_known_deviations(write_list(tmp_path, *entries))
    in_force = known.in_force("5.7.25-OceanBase-simulator")
    record = read_record(all_verdicts)
    names = ("must-deviates", "must-conforms", "should-deviates")
    results = [
        with_listing(result, in_force, dt.datetime.now(dt.UTC).date())
        for result in record.results
        if result.case_id in names
    ]
    cases = [case for case in load_cases(all_verdicts.parent / "cases" / "few.yaml") if case.id in names]
    listed_stale = list(map(str, stale_entries(known, in_force, cases, results)))
    told = [
        *stale_lines(results, listed_stale),
        RunResults(results, strict=False, stale_entries=len(listed_stale)).sentence,
    ]
    told += [f"{entry.requirement.id} {entry.cell}" for entry in tally(results, record.requirements)]
    for sentence in said:
        assert any(sentence in line for line in told), told
    assert (1 if listed_stale or any(result.fails(strict=False) for result in results) else 0) == code, told


def test_a_stale_entry_fails_a_run_without_other_failures(one: Path, dsn: str) -> None:
    other = f"case: must-conforms, versions: {{before: 5}}, {CAME}"
    write_list(one, MUST, other, "requirement: PUR-1, actual: OK, reason: r")
    record = one / "r.json"
    done = run_cases(one, dsn, "--known-deviations", "known.yaml", "--record", str(record))
    assert done.code == 1
    assert "failure" not in done.outcomes.values()
    assert "known deviations: 3 entries in known.yaml, 2 for this version" in done.screen
    assert "known deviations: known.yaml:5:5: no case of PUR-1 is deviating as listed any more ('OK')" in done.screen
    assert "the list of known deviations has 1 stale entry; 1 case known" in done.screen
    assert read(record)["run"]["exit_code"] == 1


def test_an_invalid_case_file_is_reported_before_the_run(one: Path, dsn: str) -> None:
    write_list(one, MUST)
    (one / "cases" / "broken.yaml").write_text("format: [", encoding="utf-8")
    done = run_cases(one, dsn, "cases/few.yaml", "--known-deviations", "known.yaml")
    assert done.code == 4
    assert "cases/broken.yaml:" in done.screen
    assert "Traceback" not in done.screen
    assert "INTERNALERROR" not in done.screen


def test_with_workers_a_list_that_does_not_match_the_run_fails_too(one: Path, dsn: str) -> None:
    write_list(one, MUST, f"case: no-such, {CAME}", f"case: must-conforms, {CAME}")
    done = run_cases(one, dsn, "--known-deviations", "known.yaml", "-n", "2")
    assert done.code == 1
    assert done.screen.count("known deviations: known.yaml:") == 2
    assert done.cases["must-conforms"]["outcome"] == "failure"
    assert "listed:   known.yaml:5:5" in done.screen


def test_entries_of_cases_that_were_not_run_are_not_judged(one: Path, dsn: str) -> None:
    write_list(one, MUST, f"case: must-conforms, {CAME}", "requirement: PUR-1, actual: OK, reason: r")
    done = run_cases(one, dsn, "--known-deviations", "known.yaml", "-k", "must-deviates")
    assert done.code == 0, done.screen


def test_the_list_does_not_hide_unlisted_deviations(one: Path, dsn: str) -> None:
    write_list(one)
    assert run_cases(one, dsn, "--known-deviations", "known.yaml").code == 1


BAD = {
    "nothing": ("", "known.yaml:1"),
    "no reason": ("  - {case: a, actual: b}", "the key 'reason' is missing"),
    "an empty reason": ("  - {case: a, actual: b, reason: ' '}", '3:26: " " doesn\'t fit'),
    "a placeholder": ("  - {case: a, actual: b, reason: todo}", "3:26: the reason is not written yet"),
    "neither case nor requirement": ("  - {actual: b, reason: c}", "has either a case or a requirement"),
    "both": ("  - {case: a, requirement: b, actual: b, reason: c}", "has either a case or a requirement"),
    "nothing that came": ("  - {case: a, reason: c}", "has either 'actual' or 'actual_pattern'"),
    "two that came": (
        "  - {case: a, actual: b, actual_pattern: b, reason: c}",
        "has either 'actual' or 'actual_pattern'",
    ),
    "undecided with what came": (
        "  - {case: a, verdict: inconclusive, actual: b, reason: c}",
        "an entry with 'verdict: inconclusive' has neither",
    ),
    "a pattern of everything": ("  - {case: a, actual_pattern: 'lost|', reason: c}", "matches every text"),
    "a bad pattern": ("  - {case: a, actual_pattern: '(', reason: c}", "is not a valid regular expression"),
    "a bad day": ("  - {case: a, actual: b, expires: 2026-02-30, reason: c}", "2026-02-30 is not a date"),
    "a bad link": ("  - {case: a, actual: b, link: 'javascript:x', reason: c}", "doesn't fit"),
    "a bad version": ("  - {case: a, actual: b, versions: {from: v1}, reason: c}", "doesn't fit"),
    "an unknown word": ("  - {case: a, actual: b, raeson: c, reason: c}", "did you mean 'reason'?"),
    "an unknown verdict": ("  - {case: a, actual: b, verdict: conforms, reason: c}", "doesn't fit"),
    "a case twice": (
        "  - {case: a, actual: b, reason: c}\n  - {case: a, actual: d, reason: c}",
        "4:5: a is already listed",
    ),
}


@pytest.mark.parametrize(("rows", "said"), BAD.values(), ids=list(BAD))
def test_a_list_that_cannot_be_used_is_refused_with_the_place(tmp_path: Path, rows: str, said: str) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(f"format: 1\ndeviations:\n{rows}\n" if rows else "", encoding="utf-8")
    with pytest.raises(SourceError) as refused:
        read_known_deviations(path).in_force("5.7")
    assert said in str(refused.value)
    assert "known.yaml:" in str(refused.value)


def test_an_invalid_list_is_bad_usage_before_any_case_runs(one: Path, dsn: str) -> None:
    write_list(one, "case: a, actual: b, reason: TODO")
    done = run_cases(one, dsn, "--known-deviations", "known.yaml")
    assert done.code == 4
    assert "--known-deviations: known.yaml:3:26: the reason is not written yet" in done.screen
    assert not done.cases
    missing = run_cases(one, dsn, "--known-deviations", "none.yaml")
    assert missing.code == 4
    assert "none.yaml:1:1: can't be read" in missing.screen


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5.7.25-OceanBase-v4.2.1.8", "4.2.1.8"),
        ("5.7.25-OceanBase seekdb-v1.4.0.0", "1.4"),
        ("5.7.25-OceanBase-simulator", "5.7.25"),
        ("10.11.19-MariaDB-0+deb12u1", "10.11.19"),
        ("8.0.4-dev7.1", "8.0.4"),
        ("trunk", None),
    ],
)
def test_a_version_is_the_servers_own_number(text: str, number: str | None) -> None:
    assert numbers_in(text) == (None if number is None else parts_of(number))


def test_ranges_include_their_first_and_not_their_last_version() -> None:
    versions = VersionRange(parts_of("4.2"), parts_of("4.10"))
    inside = ["4.2", "4.2.0.0", "4.2.1", "4.9.9", "4.9"]
    outside = ["4.1.99", "4.10", "4.10.0", "4.10.1", "5"]
    assert [text for text in inside + outside if versions.include(parts_of(text))] == inside
