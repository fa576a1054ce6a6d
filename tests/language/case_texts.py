"""Case files for the tests of the language: a small register, and files beside it."""

from __future__ import annotations

from pathlib import Path

from runner.language.case_files import load_cases
from runner.language.model import Case, Step

REGISTER = """\
format: 1
source: {title: a page}
requirements:
  MUS-1: {level: must, text: "it must"}
  SHO-1: {level: should, text: "it should"}
  OBS-1: {level: observe, text: "nobody says"}
errors:
  privilege: a privilege is missing
  syntax: not in the grammar
words:
  begin: opens a transaction
  sleep: takes long
guarded: KILL
"""

VALID = """\
format: 1
about: a file to change
sessions:
  killer: {grants: [ALTER SYSTEM]}
  victim: {user: killer}
cases:
  - id: first-case
    requirement: MUS-1
    title: something holds
    steps:
      - killer: KILL '${victim.id}'
        reply: ok
    ends: [victim]
  - id: second-case
    requirement: OBS-1
    title: something is seen, ${how}
    parameters:
      how: {with: "on", without: "off"}
    table: [[1, 0]]
    repeat: 2
    steps:
      - victim: ${sleep}
        reply: later
      - wait: {victim: running}
      - killer: SELECT ${how} FROM ${table}
        reply: observed
    observe:
      it answers: {reply: {rows: {values: [["1", null]]}}, ends: []}
      it ends: {ends: [victim], connection: closed}
"""


def write(folder: Path, text: str | bytes, name: str = "file.yaml", register: str | None = REGISTER) -> Path:
    """Writes a case file, and a register beside it."""
    cases = folder / "cases"
    cases.mkdir(exist_ok=True)
    if register is not None:
        (cases / "requirements.yaml").write_text(register, encoding="utf-8")
    path = cases / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.strip("\n").splitlines(keepends=True)) + "\n"


def one_case(body: str, sessions: str = "{killer: {}, victim: {user: killer}}") -> str:
    """A file with one case; ``body`` is what it says besides id and title."""
    return f"format: 1\nsessions: {sessions}\ncases:\n  - id: the-case\n    title: something holds\n" + indented(
        body, 4
    )


def load_one(folder: Path, body: str, sessions: str = "{killer: {}, victim: {user: killer}}") -> Case:
    (case,) = load_cases(write(folder, one_case(body, sessions)))
    return case


def load_step(folder: Path, step: str) -> Step:
    """A step in a case that also has a step before it, so that its place is worth looking at."""
    body = "requirement: MUS-1\ntable: [[1, 0]]\nsteps:\n  - killer: SELECT 1\n" + indented(step, 2)
    return load_one(folder, body, "{killer: {}, victim: {user: killer}}").steps[1]
