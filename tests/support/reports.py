"""Makes reports as users do, and reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.suite_run import run_command


@dataclass(frozen=True)
class Site:
    """What the command said, and its folder."""

    code: int
    screen: str
    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def address(self, name: str = "index.html") -> str:
        return (self.folder / name).as_uri()

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


def publish(records: Sequence[Path], folder: Path, *options: str) -> Site:
    done = run_command("report", *records, "--out", folder, *options)
    return Site(done.code, done.screen, folder)


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
