"""The size of a report of 20 targets, and the time until a browser shows it.

    ./toxw -e example; python benchmarks/report_opens.py

Each opening is a new browser's, whose caches are cold. The limits that users were promised: 5 MB, a second.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from tests.publishing.example import FOLDER
from tests.support.browser import browser
from tests.support.reports import publish, write

TARGETS = 20
OPENINGS = 5


def main() -> None:
    """Prints the figures."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "records").glob("*.json"))]
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name), []
        for number in range(TARGETS):
            record = records[number % len(records)]
            record["target"]["name"] = f"{record['target']['title']} {number}"
            paths.append(write(folder / f"{number}.json", record))
        site = publish(paths, folder / "site")
        megabytes = (site.folder / "index.html").stat().st_size / 1e6
        cases = len(records[0]["results"])
        print(f"index.html of {TARGETS} targets, {cases} cases each: {megabytes:.2f} MB")
        times = []
        for _ in range(OPENINGS):
            with browser() as running:
                running.get(site.address())
                times.append(
                    running.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
                )
        print(
            f"loaded after {min(times):.0f} / {statistics.median(times):.0f} / {max(times):.0f} ms (min, median, max)"
        )


if __name__ == "__main__":
    main()
