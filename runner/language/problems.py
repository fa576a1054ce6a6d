"""The error for YAML files that users write: place, problem and fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runner.language.default_folders import shown_path


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file; ``line`` and ``column`` count from 1."""

    path: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.shown_path}:{self.line}:{self.column}"

    @property
    def shown_path(self) -> str:
        """The path for messages: relative to the working directory if it is below that."""
        return shown_path(self.path)


class SourceError(Exception):
    """A file that users write (cases, register, profile) has a problem.

    Args:
        place: the place of the problem.
        what: the problem, in a sentence without a full stop.
        hint: the fix.

    Attributes:
        others: the other problems of the same file, in the order of the file; the message is about the first one.
    """

    def __init__(self, place: Place, what: str, hint: str = "") -> None:
        super().__init__(place, what, hint)
        self.place = place
        self.what = what
        self.hint = hint
        self.others: tuple[SourceError, ...] = ()

    @property
    def all(self) -> tuple[SourceError, ...]:
        """This problem and the others."""
        return (self, *self.others)

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f"\n    hint: {self.hint}" if self.hint else "")


def gathered(problems: Iterable[SourceError]) -> SourceError | None:
    """The first of several problems, with the others in its ``others``; None if there are none.

    A problem that occurs for several values of a parameter is included once.
    """
    found = {(one.place, one.what): one for problem in problems for one in problem.all}
    ordered = sorted(found.values(), key=lambda problem: problem.place)
    for problem in ordered:
        problem.others = ()
    if not ordered:
        return None
    ordered[0].others = tuple(ordered[1:])
    return ordered[0]
