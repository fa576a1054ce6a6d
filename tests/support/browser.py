"""Helpers for browser tests: open a page in a window, and measure it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CONTRAST = """
const rgba = (text) => {
  const parts = text.match(/[\\d.]+/g).map(Number); return parts.length > 3 ? parts : [...parts, 1]; };
const over = (top, under) => [0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * under[i]).concat(1);
const light = (colour) => {
  const [r, g, b] = colour.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = (element) => { const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]); };
const bad = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
for (let node; (node = walker.nextNode());) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility()) continue;
  if (element.closest(".vh,script,style,.skip,title")) continue;
  const style = getComputedStyle(element), svg = element.closest("svg");
  const ground = behind(svg || element), front = over(rgba(svg ? style.fill : style.color), ground);
  const [a, b] = [light(front), light(ground)].sort((x, y) => y - x);
  seen++;
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) bad.push(contrast.toFixed(2) + " " + node.data.trim().slice(0, 50));
}
return [seen, [...new Set(bad)].slice(0, 20)];
"""

STRUCTURE = """
const problems = [], say = (what, element) => problems.push(what + ": " + (element.outerHTML || "").slice(0, 120));
if (document.documentElement.lang !== "en") problems.push("no lang");
if (!document.title) problems.push("no title");
for (const [name, number] of [["h1", 1], ["main", 1], ["body > header", 1], ["body > footer", 1]])
  if (document.querySelectorAll(name).length !== number) problems.push("not one " + name);
let before = 0;
for (const heading of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
  const level = Number(heading.tagName[1]);
  if (level > before + 1) say("heading skips from " + before, heading);
  before = level;
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
if (new Set(ids).size !== ids.length) problems.push("ids are not unique");
for (const element of document.querySelectorAll("[aria-labelledby]"))
  if (!document.getElementById(element.getAttribute("aria-labelledby"))) say("labelled by nothing", element);
for (const table of document.querySelectorAll("table")) {
  if (!table.caption && !table.parentElement.getAttribute("aria-label")) say("table without a name", table);
  if (!table.tHead) say("table without a head", table);
  for (const head of table.querySelectorAll("th"))
    if (!["col", "row"].includes(head.scope)) say("header without scope", head);
  const width = [...table.tHead.rows[0].cells].length;
  for (const row of table.rows) if (row.cells.length !== width) say("row of other width", row);
}
for (const picture of document.querySelectorAll("svg:not([aria-hidden=true])"))
  if (!picture.getAttribute("aria-label")) say("picture without a name", picture);
for (const region of document.querySelectorAll("[tabindex]")) if (region.tabIndex > 0) say("own tab order", region);
for (const scrolls of document.querySelectorAll(".scroll,figure,pre"))
  if (scrolls.checkVisibility() && scrolls.tabIndex !== 0) say("can't be scrolled by keys", scrolls);
return problems;
"""


@contextlib.contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Debian's Chromium, without a window; it logs requests and complaints."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    running.set_script_timeout(60)
    try:
        yield running
    finally:
        running.quit()


def look(
    browser: webdriver.Chrome, address: str, *, width: int = 1280, dark: bool = False, scripts: bool = True
) -> None:
    """Opens a page afresh in a window of this width and colour scheme."""
    browser.get("about:blank")
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
    _logged(browser, "browser")
    _logged(browser, "performance")
    browser.get(address)


def _logged(browser: webdriver.Chrome, kind: str) -> list[dict[str, str]]:
    """What the browser's log has new."""
    entries: list[dict[str, str]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def requests(browser: webdriver.Chrome) -> list[str]:
    """What the browser asked for since the page was opened, the page itself included."""
    events = [json.loads(entry["message"])["message"] for entry in _logged(browser, "performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def complaints(browser: webdriver.Chrome) -> list[str]:
    """Errors of the page, and what its policy kept from being loaded or run."""
    return [entry["message"] for entry in _logged(browser, "browser")]


def ask(browser: webdriver.Chrome, expression: str, *arguments: Any) -> Any:
    """The value of an expression in the page."""
    return browser.execute_script(f"return {expression}", *arguments)
