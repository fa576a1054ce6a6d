"""Writes the files of a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.publishing import badge, pages, summary
from runner.publishing.subjects import Subject


def write_site(subjects: Sequence[Subject], folder: Path) -> list[Path]:
    """Writes ``index.html``, ``report.md``, and a page and a badge per target; the same records, the same bytes.

    Raises:
        OSError: a file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"index.html": pages.index(subjects), "report.md": summary.markdown_report(subjects)}
    for subject in subjects:
        texts[subject.page] = pages.target(subject)
        texts[f"{subject.slug}.svg"] = badge.badge(subject.standing)
    for name, text in texts.items():
        draft = folder / f"{name}.part"
        draft.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        draft.replace(folder / name)
    return [folder / name for name in texts]
