"""The numbers of cases and requirements of the suite."""

from __future__ import annotations

from collections import Counter

from runner.language.case_files import cached_cases, case_files
from runner.language.model import Level
from runner.language.register import read_register
from tests.support.paths import CASES

_CASES = [case for path in case_files(CASES) for case in cached_cases(path)]
ALL_CASES = len(_CASES)
BINDING_CASES = sum(case.requirement.level is not Level.OBSERVE for case in _CASES)
"""Those that can conform or deviate."""
CASES_OF = Counter(case.requirement.id for case in _CASES)
"""The number of cases of each requirement."""
REQUIREMENTS = len(read_register(CASES / "requirements.yaml").requirements)
