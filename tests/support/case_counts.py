"""The numbers of cases and requirements of the suite; the case files are read at the first use, not at the import."""

from __future__ import annotations

from collections import Counter
from functools import cache

from runner.language.case_files import cached_cases, case_files
from runner.language.model import Case, Level
from runner.language.register import read_register
from tests.support.paths import CASES


@cache
def _cases() -> tuple[Case, ...]:
    return tuple(case for path in case_files(CASES) for case in cached_cases(path))


def all_cases() -> int:
    """The number of all cases."""
    return len(_cases())


def decided_cases() -> int:
    """The number of those that can conform or deviate."""
    return sum(case.requirement.level is not Level.OBSERVE for case in _cases())


def cases_by_requirement() -> Counter[str]:
    """The number of cases of each requirement."""
    return Counter(case.requirement.id for case in _cases())


def all_requirements() -> int:
    """The number of all requirements."""
    return len(read_register(CASES / "requirements.yaml").requirements)
