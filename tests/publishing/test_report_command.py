"""Files that ``python -m runner report`` writes, and input that it rejects, with records of real runs."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.own_cases import number_of_cases, number_of_decided_cases
from tests.support.reports import Site, publish, write

Document = dict[str, Any]


def test_a_report_has_a_matrix_a_summary_and_a_page_and_a_badge_per_target(site: Site) -> None:
    assert site.code == 0, site.screen
    pages = {"honest-1.html", "honest-1.svg", "defects-1.html", "defects-1.svg"}
    assert site.names() == {"index.html", "report.md", *pages}
    assert f"Honest <1>: conforms ({number_of_decided_cases()} cases decided)" in site.screen
    assert re.search(r"Defects <1>: does not conform: \d+ required cases failed", site.screen)


def test_counts_are_those_of_the_record_and_percentages_are_of_the_decided_cases(
    site: Site, records: dict[str, Path]
) -> None:
    results = json.loads(records["defects"].read_text(encoding="utf-8"))["results"]
    verdicts = Counter(row["verdict"] for row in results if row["level"] == "must")
    conforming, decided = verdicts["conforms"], verdicts["conforms"] + verdicts["deviates"]
    assert 0 < conforming < decided
    share = f"{1000 * conforming // decided / 10:g} %"
    assert f"{conforming} of {decided} decided conform ({share})" in site.text("index.html")
    assert f"✓ {conforming} of {decided} decided ({share})" in site.text("report.md")


def test_a_percentage_below_100_is_not_rounded_to_100(record: Document, tmp_path: Path) -> None:
    conforming = [row for row in record["results"] if row["level"] == "must" and row["verdict"] == "conforms"]
    template = min(conforming, key=lambda row: len(row["transcript"]))
    record["results"] = [{**template, "name": f"case-{number}"} for number in range(3000)]
    record["results"][0] |= {"verdict": "deviates", "expected": "this", "actual": "that"}
    record["run"]["cases"] = 3000
    done = publish([write(tmp_path / "r.json", record)], tmp_path / "out")
    assert "2999 of 3000 decided conform (99.9 %)" in (done.folder / "index.html").read_text(encoding="utf-8")


def test_a_record_without_decided_cases_has_no_percentage(record: Document, tmp_path: Path) -> None:
    for row in record["results"]:
        row |= {"verdict": "inconclusive", "reason": "the user can't be created"}
    done = publish([write(tmp_path / "r.json", record)], tmp_path / "out")
    for name in ("index.html", "report.md"):
        assert "%" not in re.sub(r"(?s)<style>.*?</style>|<script>.*?</script>|%\d\w", "", done.text(name)), name
    page = done.text(next(name for name in done.names() if name.startswith("honest") and name.endswith("html")))
    assert "Reasons for inconclusive cases" in page
    assert "the user can&#39;t be created" in page
    assert "undecided" in done.text("honest-1.svg")


def test_the_badge_counts_the_deviations_that_fail_the_run(site: Site, records: dict[str, Path]) -> None:
    results = json.loads(records["defects"].read_text(encoding="utf-8"))["results"]
    deviating = sum(row["verdict"] == "deviates" and (row["safety"] or row["level"] == "must") for row in results)
    badges = {name: ET.fromstring(site.text(f"{name}.svg")) for name in ("honest-1", "defects-1")}  # noqa: S314 - ours
    assert badges["honest-1"].get("aria-label") == "ALTER SYSTEM KILL SESSION: ✓ conforms"
    assert badges["defects-1"].get("aria-label") == (
        f"ALTER SYSTEM KILL SESSION: ✗ {deviating} must deviate ({len(results)} of {number_of_cases()} cases)"
    )


def test_a_page_names_the_run_its_time_and_its_target(site: Site, honest: Document) -> None:
    page = site.text("honest-1.html")
    run, target = honest["run"], honest["target"]
    for fact in (run["cases_digest"], run["machine"], target["version"], target["profile"], target["route"], "no TLS"):
        assert str(fact) in page, fact
    assert run["started"][:19].replace("T", " ") in page
    assert "one process" in page
    assert "2 workers" in site.text("defects-1.html")
    assert f"{number_of_cases()} of {number_of_cases()} cases" in page


def test_every_case_has_its_transcript_and_its_statements_without_scripts(site: Site, honest: Document) -> None:
    page = site.text("honest-1.html")
    assert page.count('<details class="case"') == len(honest["results"])
    body = re.sub(r"(?s)<script>.*?</script>", "", page)
    assert body.count("<td>→ ") >= sum(
        event["kind"] == "sends" and not event["setup"] for row in honest["results"] for event in row["transcript"]
    )
    assert "/* killer */ ALTER SYSTEM KILL SESSION &#39;&lt;id of victim&gt;&#39;" in body
    assert "CREATE USER &lt;user of killer&gt; IDENTIFIED BY &#34;&lt;password&gt;&#34;" in body


def test_every_link_of_the_matrix_refers_to_a_case(site: Site, records: dict[str, Path]) -> None:
    links = re.findall(r'href="([\w-]+\.html)#([^"]+)"', site.text("index.html"))
    ids = {name: set(re.findall(r'id="([^"]+)"', site.text(name))) for name in {name for name, _ in links}}
    fewer = len(json.loads(records["defects"].read_text(encoding="utf-8"))["results"])
    assert len(links) > number_of_cases() + fewer
    assert [link for link in links if link[1] not in ids[link[0]]] == []


def test_observations_are_listed_by_target(site: Site) -> None:
    page = site.text("index.html")
    row = re.search(
        r"(?s)<tbody[^>]*>(?:(?!</tbody>).)*?serial-with-immediate</bdi></code> <span class=\"tag\">.*?</tbody>", page
    )
    assert row is not None, "targets differ at serial# with IMMEDIATE, since one refuses IMMEDIATE"
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", row[0]))
    assert "kills the session — Honest &lt;1&gt;" in text
    assert re.search(r"syntax.* — Defects &lt;1&gt;", text)
    assert "Time until a session is gone" in page


def test_the_same_records_give_the_same_bytes(site: Site, records: dict[str, Path], tmp_path: Path) -> None:
    again = publish(list(records.values()), tmp_path / "again")
    assert again.names() == site.names()
    for name in site.names():
        assert (again.folder / name).read_bytes() == (site.folder / name).read_bytes(), name


@pytest.mark.long
def test_two_runs_of_one_target_have_different_names(record: Document, tmp_path: Path) -> None:
    later = copy.deepcopy(record)
    later["run"]["started"] = "2031-01-02T03:04:05.000+00:00"
    files = [write(tmp_path / f"{number}.json", document) for number, document in enumerate((record, later, later))]
    two = publish(files[:2], tmp_path / "two")
    assert "Honest <1> (run of 2031-01-02 03:04):" in two.screen
    assert "honest-1-run-of-2031-01-02-03-04.html" in two.names()
    same = publish(files[1:], tmp_path / "same")
    assert "Honest <1> (run 1):" in same.screen
    assert "Honest <1> (run 2):" in same.screen
    assert len(same.names()) == 2 + 2 * 2


@pytest.mark.long
def test_records_of_different_cases_are_refused_or_marked_as_mixed(
    record: Document, records: dict[str, Path], tmp_path: Path
) -> None:
    record["run"]["cases_digest"] = "sha256:other"
    files = [records["defects"], write(tmp_path / "other.json", record)]
    refused = publish(files, tmp_path / "refused")
    assert refused.code == 4
    assert "different cases" in refused.screen
    assert "other.json" in refused.screen
    assert "--mixed" in refused.screen
    assert not refused.folder.exists()
    mixed = publish(files, tmp_path / "mixed", "--mixed")
    assert mixed.code == 0
    assert "Mixed cases" in mixed.text("index.html")
    assert "sha256:other" in mixed.text("index.html")
    assert "Mixed cases" in mixed.text("report.md")


def test_deselected_cases_are_counted_beside_every_verdict(record: Document, tmp_path: Path) -> None:
    record["results"] = record["results"][:20]
    done = publish([write(tmp_path / "r.json", record)], tmp_path / "out")
    assert f"20 of {number_of_cases()} cases" in done.text("honest-1.svg")
    assert f"20 of {number_of_cases()} cases" in done.text("report.md").replace("\\", "")
    assert f"20 of {number_of_cases()} cases were run" in done.text("index.html")
    assert f"{number_of_cases() - 20} were deselected" in done.text("honest-1.html")


def _cut_off(record: Document) -> None:
    record["run"]["complete"] = False


def _unknown_requirement(record: Document) -> None:
    record["results"][3]["requirement"] = "ZZZ-1"


def _other_level(record: Document) -> None:
    record["results"][3]["level"] = "observe" if record["results"][3]["level"] != "observe" else "must"


def _twice(record: Document) -> None:
    record["results"].append(record["results"][0])


@pytest.mark.parametrize("spoil", [_cut_off, _unknown_requirement, _other_level, _twice])
def test_an_incomplete_or_contradictory_record_is_refused(spoil: Any, record: Document, tmp_path: Path) -> None:
    spoil(record)
    done = publish([write(tmp_path / "spoilt.json", record)], tmp_path / "out")
    assert done.code == 4
    assert "spoilt.json" in done.screen
    assert "run the suite again" in done.screen
    assert "Traceback" not in done.screen
    assert not done.folder.exists()


def test_a_folder_that_cannot_be_written_is_bad_usage(records: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = publish([records["honest"]], tmp_path / "file")
    assert done.code == 4
    assert "can't be written" in done.screen
    assert "Traceback" not in done.screen


def test_no_record_is_bad_usage(tmp_path: Path) -> None:
    done = publish([tmp_path / "none.json"], tmp_path / "out")
    assert done.code == 4
    assert "none.json" in done.screen


MOST_FINDINGS = 30
"""What the Markdown page names at most; the rest is counted there and named on the target's page."""


def test_markdown_has_a_row_per_requirement_and_every_deviation(site: Site, records: dict[str, Path]) -> None:
    text = site.text("report.md")
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    defective = json.loads(records["defects"].read_text(encoding="utf-8"))
    assert {cells.split("**")[1].replace("\\", "") for cells in rows} >= {
        row["id"] for row in defective["requirements"]
    }
    assert all(line.count(" |") == 3 for line in rows if "✓" in line)
    deviating = [row["name"] for row in defective["results"] if row["verdict"] == "deviates"]
    shown = [name for name in deviating if re.sub(r"([\[\]])", r"\\\1", name) in text]
    assert len(shown) == min(len(deviating), MOST_FINDINGS), text


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("INDEX", "index-2"),
        ("con", "target-con"),
        ("\u202egnp.exe", "u202egnp-exe"),
        ("数据库", "target"),
        ("", "target-without-a-name"),
        ("Ü" * 500, "u" * 60),
    ],
)
def test_file_names_are_safe_for_any_name_of_a_target(name: str, slug: str, record: Document, tmp_path: Path) -> None:
    record["target"]["name"] = name
    record["results"] = record["results"][:20]  # the names don't depend on them
    done = publish([write(tmp_path / "r.json", record)], tmp_path / "out")
    assert done.names() == {"index.html", "report.md", f"{slug}.html", f"{slug}.svg"}


def test_long_messages_are_cut_with_a_notice(record: Document, tmp_path: Path) -> None:
    short = len(publish([write(tmp_path / "short.json", record)], tmp_path / "short").text("honest-1.html"))
    row = record["results"][0]
    row |= {"verdict": "deviates", "expected": "peace", "actual": "noise " * 2_000_000}
    row["transcript"][-1]["text"] = "x" * 10_000_000
    done = publish([write(tmp_path / "r.json", record)], tmp_path / "out")
    page = done.text("honest-1.html")
    assert "[cut: 12000000 characters]" in page
    assert "[cut: 10000000 characters]" in page
    assert len(page) < short + 100_000
    assert len(done.text("report.md")) < 100_000


def test_control_characters_and_bidirectional_overrides_are_shown_as_escapes(record: Document, tmp_path: Path) -> None:
    record["target"]["version"] = "5.7\u202e\x1b[31m\x00"
    done = publish([write(tmp_path / "r.json", record)], tmp_path / "out")
    for name in done.names():
        text = done.text(name)
        assert not [char for char in text if not char.isprintable() and char not in "\n\t"], name
    assert "5.7\\u202e\\x1b[31m\\x00" in done.text("index.html")
