"""The cases of the suite and their numbers; the case files are read at the first use, not at the import."""

from __future__ import annotations

from collections import Counter
from functools import cache

from runner.language.case_files import cached_cases, case_files
from runner.language.model import Case, Level
from runner.language.register import read_register
from tests.support.paths import CASES


@cache
def cases() -> tuple[Case, ...]:
    """All cases."""
    return tuple(case for path in case_files(CASES) for case in cached_cases(path))


def case_named(name: str) -> Case:
    """The case with this name."""
    return next(case for case in cases() if case.name == name)


def number_of_cases() -> int:
    """The number of all cases."""
    return len(cases())


def number_of_decided_cases() -> int:
    """The number of those that can conform or deviate."""
    return sum(case.requirement.level is not Level.OBSERVE for case in cases())


def cases_by_requirement() -> Counter[str]:
    """The number of cases of each requirement."""
    return Counter(case.requirement.id for case in cases())


def number_of_requirements() -> int:
    """The number of all requirements."""
    return len(read_register(CASES / "requirements.yaml").requirements)
