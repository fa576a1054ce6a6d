"""The report's pages in a real browser: search, filters, accessibility, layout, and text of a hostile target."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.support.browser import CONTRAST, STRUCTURE, ask, complaints, look, requests
from tests.support.eventually import eventually
from tests.support.own_cases import number_of_cases, number_of_requirements
from tests.support.reports import Site, publish, write

pytestmark = pytest.mark.long

Document = dict[str, Any]
PAGES = ["index.html", "defects-1.html"]
MEASURED = "how-long-it-takes[running]"
ROLLED_BACK = "change-is-rolled-back[update]"
SHOWN = "[...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).length"


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, site: Site) -> str:
    return site.address(request.param)


def shown(browser: webdriver.Chrome, selector: str) -> int:
    return int(ask(browser, SHOWN, selector))


def cases_of(requirement: str, record: Document) -> int:
    return sum(row["requirement"] == requirement for row in record["results"])


def status(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "[role=status]").text


def test_a_page_requests_no_other_resource_and_causes_no_browser_error(page: str, chromium: webdriver.Chrome) -> None:
    look(chromium, page)
    assert requests(chromium) == [page]
    assert complaints(chromium) == []
    assert ask(chromium, "document.documentElement.classList.contains('js')")


def test_the_search_finds_cases_by_their_words_and_shows_their_number(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address("honest-1.html"))
    assert status(chromium) == f"All {number_of_cases()} cases shown."
    chromium.find_element(By.ID, "q").send_keys("rolled-back uncommitted UPDATE")
    assert eventually(lambda: 0 < shown(chromium, ".case") < 10)
    assert status(chromium) == f"{shown(chromium, '.case')} of {number_of_cases()} cases shown."
    assert ROLLED_BACK in chromium.find_element(By.ID, "h-cases").find_element(By.XPATH, "..").text
    chromium.find_element(By.ID, "q").send_keys(" nothingislikethis")
    assert eventually(lambda: "No match" in status(chromium))
    assert shown(chromium, ".case") == 0
    assert shown(chromium, "[data-group]") == 0


def test_filters_by_level_and_verdict_agree_with_the_record(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address("defects-1.html"))
    Select(chromium.find_element(By.ID, "verdict")).select_by_visible_text("deviates")
    all_deviating = len(chromium.find_elements(By.CSS_SELECTOR, ".case[data-v*=deviates]"))
    assert all_deviating > 10
    assert eventually(lambda: shown(chromium, ".case") == all_deviating)
    for box in chromium.find_elements(By.CSS_SELECTOR, "[name=level]"):
        if box.get_attribute("value") != "must":
            box.click()
    must = len(chromium.find_elements(By.CSS_SELECTOR, ".case[data-level=must][data-v*=deviates]"))
    assert 0 < must < all_deviating
    assert eventually(lambda: shown(chromium, ".case") == must)


def test_the_matrix_shows_only_where_targets_differ(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address())
    everything = shown(chromium, ".matrix tbody")
    assert everything == number_of_requirements()
    chromium.find_element(By.ID, "differs").click()
    assert eventually(lambda: 0 < shown(chromium, ".matrix tbody") < everything)
    kept = [row.text for row in chromium.find_elements(By.CSS_SELECTOR, ".matrix tbody:not([hidden]) .r")]
    assert any("SYN-3" in text and "deviates" in text for text in kept)
    assert not any("PAR-2" in text for text in kept)


def test_the_cases_of_a_requirement_open_by_keyboard(honest: Document, site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address())
    assert shown(chromium, ".k") == 0
    toggle = chromium.find_element(By.CSS_SELECTOR, ".toggle")
    assert toggle.accessible_name == "PUR-1: its cases"
    toggle.send_keys(Keys.ENTER)
    assert toggle.get_attribute("aria-expanded") == "true"
    assert shown(chromium, ".k") == cases_of("PUR-1", honest)
    toggle.send_keys(Keys.SPACE)
    assert shown(chromium, ".k") == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_to_a_case_opens_its_evidence(scripts: bool, site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, f"{site.address('honest-1.html')}#case={quote(ROLLED_BACK)}", scripts=scripts)
    assert eventually(lambda: shown(chromium, ".evidence") == 1)
    evidence = ask(
        chromium,
        "[...document.querySelectorAll('.case[open]')].map((e) => e.querySelector('summary code').textContent)",
    )
    assert evidence == [ROLLED_BACK]
    assert -5 <= ask(chromium, "document.querySelector('.case[open] .evidence').getBoundingClientRect().top") < 500


def test_a_link_to_a_case_of_the_matrix_unfolds_its_requirement(
    honest: Document, site: Site, chromium: webdriver.Chrome
) -> None:
    look(chromium, f"{site.address()}#case={quote(ROLLED_BACK)}")
    assert eventually(lambda: shown(chromium, ".k") == cases_of("IMP-5", honest))
    (toggle,) = chromium.find_elements(By.CSS_SELECTOR, ".toggle[aria-expanded=true]")
    assert toggle.text == "IMP-5"
    assert eventually(lambda: ask(chromium, "document.activeElement.className") == "toggle")


def test_a_cell_of_the_matrix_opens_the_evidence(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address())
    chromium.find_element(By.CSS_SELECTOR, ".toggle").click()
    chromium.find_element(By.CSS_SELECTOR, ".k td:nth-child(3) a").click()
    assert eventually(lambda: chromium.current_url.startswith(site.address("defects-1.html") + "#case="))
    assert eventually(lambda: shown(chromium, ".evidence") == 1)


def test_a_deep_link_overrides_a_filter(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address("honest-1.html"))
    chromium.find_element(By.ID, "q").send_keys("SYN-1")
    assert eventually(lambda: shown(chromium, ".case") < 20)
    ask(chromium, "location.hash = arguments[0]", f"case={ROLLED_BACK}")
    assert eventually(lambda: shown(chromium, ".evidence") == 1)


def test_the_timeline_has_a_lane_per_session_arrows_the_end_of_the_victim_and_times(
    site: Site, chromium: webdriver.Chrome
) -> None:
    look(chromium, f"{site.address('honest-1.html')}#case={quote(ROLLED_BACK)}")
    assert eventually(lambda: shown(chromium, ".case[open] svg.tl") == 1)
    names = ask(chromium, "[...document.querySelectorAll('.tl .name')].map((e) => e.textContent)")
    assert names == ["killer", "victim", "other", "server"]
    said = ask(
        chromium,
        "document.querySelectorAll('.case[open] .lines .s').length",
    )
    assert ask(chromium, "document.querySelectorAll('.tl path.say.line').length") == said == 4
    assert ask(chromium, "document.querySelectorAll('.tl path.death').length") == 1
    death = ask(chromium, "document.querySelector('.tl path.death').getBBox().y + 6")
    lanes = ask(chromium, "[...document.querySelectorAll('.tl .lane')].map((e) => e.getBBox().y + e.getBBox().height)")
    assert lanes[1] == pytest.approx(death, abs=1), "the victim's lane ends where it dies"
    assert lanes[0] > death
    assert lanes[2] > death
    text = ask(chromium, "document.querySelector('.tl').textContent")
    assert "ALTER SYSTEM KILL SESSION '<id of victim>'" in text
    times = ask(chromium, "[...document.querySelectorAll('.tl .at')].map((e) => Number(e.textContent))")
    assert times == sorted(times)
    assert all(time > 0 for time in times)


def test_a_deviating_case_shows_expected_beside_observed(
    records: dict[str, Path], site: Site, chromium: webdriver.Chrome
) -> None:
    look(chromium, site.address("defects-1.html"))
    chromium.find_element(By.CSS_SELECTOR, "#h-result ~ .reasons a").click()
    assert eventually(lambda: shown(chromium, ".pair") == 1)
    expected, observed = chromium.find_elements(By.CSS_SELECTOR, ".case[open] .pair > div")
    name = chromium.find_element(By.CSS_SELECTOR, ".case[open] summary code").text
    (result,) = [row for row in json.loads(records["defects"].read_text("utf-8"))["results"] if row["name"] == name]
    assert expected.text == f"Expected\n{result['expected']}"
    assert observed.text == f"Actual\n{result['actual']}"
    assert expected.rect["y"] == observed.rect["y"]
    assert expected.rect["x"] < observed.rect["x"]
    assert "ALTER SYSTEM KILL SESSION" in chromium.find_element(By.CSS_SELECTOR, ".case[open] .hand pre").text


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_legible_in_both_colour_schemes(dark: bool, page: str, chromium: webdriver.Chrome) -> None:
    look(chromium, page, dark=dark)
    ground = ask(chromium, "getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark
    for element in chromium.find_elements(By.CSS_SELECTOR, ".toggle, .case[data-v*=deviates] summary")[:60]:
        ask(chromium, "arguments[0].click()", element)
    seen, faint = chromium.execute_script(CONTRAST)
    assert seen > 300
    assert faint == []


def test_the_structure_serves_screen_readers(page: str, chromium: webdriver.Chrome) -> None:
    look(chromium, page)
    ask(chromium, "document.getElementById('all').click()")
    assert eventually(lambda: "defects" not in page or shown(chromium, "svg.tl") > 200)
    assert chromium.execute_script(STRUCTURE) == []
    for control in chromium.find_elements(By.CSS_SELECTOR, "form input, form select, form button, .toggle"):
        assert control.accessible_name, control.get_attribute("outerHTML")
        assert control.accessible_name != control.get_attribute("placeholder"), "a label stays when something is typed"


def test_a_verdict_is_never_a_colour_alone(site: Site, records: dict[str, Path], chromium: webdriver.Chrome) -> None:
    rows = json.loads(records["defects"].read_text(encoding="utf-8"))["results"]
    look(chromium, site.address())
    cells = ask(chromium, "[...document.querySelectorAll('.matrix td a')].map((e) => [e.className, e.textContent])")
    words = {"conforms": "conforms", "deviates": "deviates", "observed": "observed"}
    assert len(cells) == number_of_requirements() + number_of_cases() + len({row["requirement"] for row in rows}) + len(
        rows
    )
    for kind, text in cells:
        assert words[kind.split()[1]] in text, (kind, text)


def test_the_focus_is_visible_with_keyboard_navigation(page: str, chromium: webdriver.Chrome) -> None:
    look(chromium, page)
    stops = set()
    for _ in range(25):
        chromium.switch_to.active_element.send_keys(Keys.TAB)
        stop = ask(
            chromium,
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.outerHTML.slice(0, 90), s.outlineStyle, parseFloat(s.outlineWidth)]; })()",
        )
        assert stop[1] != "none", stop
        assert stop[2] >= 2, stop
        stops.add(stop[0])
    assert len(stops) > 15


@pytest.mark.parametrize("name", [*PAGES, f"defects-1.html#case={quote(ROLLED_BACK)}"])
def test_a_narrow_window_does_not_scroll_sideways(name: str, site: Site, chromium: webdriver.Chrome) -> None:
    file, _, fragment = name.partition("#")
    look(chromium, site.address(file) + (f"#{fragment}" if fragment else ""), width=360)
    ask(chromium, "document.querySelectorAll('.toggle')[0]?.click()")
    assert ask(chromium, "innerWidth") == 360
    assert ask(chromium, "document.documentElement.scrollWidth") <= 360


def test_in_print_the_controls_are_hidden_and_deviations_are_open(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address("defects-1.html"))
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    ask(chromium, "dispatchEvent(new Event('beforeprint'))")
    assert shown(chromium, ".controls") == 0
    assert shown(chromium, ".evidence") == shown(chromium, ".case[data-v*=deviates]") > 10


def one_of_each_shape(results: list[Document]) -> list[Document]:
    """The first result of each requirement, and each that has a part or a kind of event which no result before has."""
    kept, seen = [], set[tuple[Any, ...]]()
    for row in results:
        shape: set[tuple[Any, ...]] = {(key, bool(value)) for key, value in row.items()}
        shape |= {("event", event["kind"], event["setup"], bool(event["manual"])) for event in row["transcript"]}
        shape |= {("end", end["manner"], *(value is None for value in end.values())) for end in row["endings"]}
        shape |= {(row["requirement"],), (row["level"], row["verdict"], len(row["observed"]) > 1)}
        if shape - seen:
            kept.append(row)
            seen |= shape
    return kept


@pytest.fixture(scope="module")
def hostile(honest: Document, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A report of a target that says whatever might do harm, everywhere it can."""
    record, folder = copy.deepcopy(honest), tmp_path_factory.mktemp("hostile")
    attack = "</script></style></title></table><script>window.harmed=1</script><img src=x onerror='window.harmed=1'>\""
    turned = "\u202egpj.exe \u2066\u05e9\u05dc\u05d5\u05dd"
    target = ("name", "flavour", "version", "product", "profile", "title", "route", "tls", "host")
    record["target"] |= dict.fromkeys(target, attack + turned)
    record["run"] |= dict.fromkeys(("suite", "machine", "cases_digest", "started", "finished"), attack)
    record["missing"] = [{"what": attack, "cases": [attack], "fix": attack}]
    record["requirements"][0]["text"] = attack
    record["results"] = [copy.deepcopy(row) for row in one_of_each_shape(record["results"]) for _ in range(3)]
    record["run"]["cases"] = len(record["results"])
    for number, row in enumerate(record["results"]):
        row |= {"title": attack, "place": attack, "reason": attack, "expected": attack, "actual": attack + turned}
        row |= {"name": f"{attack} {number}", "observed": {attack: 1, turned: 2}, "warnings": [attack]}
        for event in row["transcript"]:
            event |= {"session": attack, "text": attack + turned, "manual": event["manual"] and "</pre>" + attack}
        for end in row["endings"]:
            end |= {"session": attack, "manner": attack}
    for row in record["results"][::3]:
        row["verdict"] = "deviates"
    for row in record["results"][1::3]:
        row["verdict"] = "inconclusive"
    other = copy.deepcopy(record)
    other["target"]["version"] = "javascript:harmed=1"
    done = publish([write(folder / "a.json", record), write(folder / "b.json", other)], folder / "out")
    assert done.code == 0, done.screen
    return done


def test_texts_of_a_hostile_target_are_shown_as_text(hostile: Site, chromium: webdriver.Chrome) -> None:
    for name in sorted(hostile.names()):
        if not name.endswith((".html", ".svg")):
            continue
        look(chromium, hostile.address(name))
        if name.endswith(".html"):
            ask(chromium, "document.getElementById('all').click()")
            time.sleep(0.3)
            assert "window.harmed=1" in ask(chromium, "document.querySelector('main').textContent")
            assert ask(chromium, "document.scripts.length") == 2
        assert ask(chromium, "window.harmed") is None
        assert ask(chromium, "document.querySelectorAll('img, iframe, object').length") == 0
        assert ask(chromium, r"/[\u202a-\u202e\u2066\u2067]/.test(document.documentElement.textContent)") is False
        links = ask(chromium, "[...document.querySelectorAll('a')].map((e) => e.protocol)")
        assert set(links) <= {"file:"}
        assert [url for url in requests(chromium) if not url.startswith("file:///")] == []
        assert complaints(chromium) == []


def test_a_hostile_target_puts_no_markup_into_markdown(hostile: Site) -> None:
    text = hostile.text("report.md")
    assert "window" in text
    assert "<" not in text.replace("&lt;", "")
    assert "\u202e" not in text


def test_the_content_security_policy_blocks_injected_markup(
    site: Site, tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    """The policy names the page's own script and style; it is the second wall."""
    text = site.text("honest-1.html").replace(
        "<main", "<script>window.harmed=1</script><img src=x onerror='window.harmed=1'><main", 1
    )
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(text, encoding="utf-8")
    look(chromium, spoilt.as_uri())
    assert ask(chromium, "window.harmed") is None
    assert any("Content Security Policy" in complaint for complaint in complaints(chromium))


def test_without_scripts_all_cases_are_readable(site: Site, chromium: webdriver.Chrome) -> None:
    look(chromium, site.address(), scripts=False)
    assert shown(chromium, ".k") == number_of_cases()
    assert shown(chromium, ".controls") == 0
    look(chromium, site.address("honest-1.html"), scripts=False)
    chromium.find_element(By.CSS_SELECTOR, ".case summary").click()
    text = chromium.find_element(By.CSS_SELECTOR, ".case[open] .evidence").text
    assert "→ ALTER SYSTEM KILL SESSION '<id of victims_1>'" in text
    assert "connection closed" in text


def with_durations(record: Document, name: str, factor: float) -> Document:
    """The record with another target's name, and 100 known durations of the case's connections and rows."""
    changed = copy.deepcopy(record)
    changed["target"]["name"] = name
    (row,) = [row for row in changed["results"] if row["name"] == MEASURED]
    row["observed"] = {"the session ends": 100}
    row["endings"] = [
        {"session": "victim", "manner": "closed", "connection_ms": factor * number, "row_ms": 10 * factor * number}
        for number in range(1, 101)
    ]
    return changed


def test_durations_of_a_kind_of_session_are_compared_by_target_in_a_table_and_a_drawing(
    honest: Document, tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    record = honest | {"results": [row for row in honest["results"] if row["requirement"] == "OBS-4"]}
    records = [
        write(tmp_path / f"{name}.json", with_durations(record, name, factor))
        for name, factor in (("Fast", 0.5), ("Slow", 5.0))
    ]
    site = publish(records, tmp_path / "site")
    assert site.code == 0, site.screen
    look(chromium, site.address())
    measured = "[...document.querySelectorAll('.times')].find((e) => e.caption.textContent.includes('session running'))"
    rows = ask(chromium, f"[...{measured}.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim()))")
    which = ["p50", "p99", "max"]
    assert rows[0][:8] == [
        "Target",
        "Ends",
        *(f"{end}, {p}" for end in ("Connection closed", "Row gone") for p in which),
    ]
    assert [row[:8] for row in rows[1:]] == [
        ["Fast", "100", "25.0 ms", "49.5 ms", "50.0 ms", "250.0 ms", "495.0 ms", "500.0 ms"],
        ["Slow", "100", "250.0 ms", "495.0 ms", "500.0 ms", "2.5 s", "5.0 s", "5.0 s"],
    ]
    dots = ask(chromium, f"[...{measured}.querySelectorAll('circle')].map((e) => e.getBoundingClientRect().x)")
    assert dots[0] < dots[1] == dots[2] < dots[3], "connection and row of each target, on one scale"
    assert ask(chromium, f"[...{measured}.querySelectorAll('svg')].every((e) => e.ariaHidden === 'true')")
