"""The proof of one simulated server: the results of its run, and whether they are the expected ones."""

from __future__ import annotations

from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Verdict
from runner.language.model import Level
from runner.language.suite import Suite
from runner.proof.simulated_servers import SimulatedServer


@dataclass(frozen=True)
class Proof:
    """The run for a server.

    Attributes:
        code: the exit code of the run; -1 if the simulator did not start.
        screen: the output of the run.
        harmless: whether no session of another client was killed.
        together: the number of servers that this run proves.
        not_met: the requirements of level should that these servers don't meet, although they conform.
        partial: whether only some of the cases that apply to the server were run.
    """

    server: SimulatedServer
    code: int
    results: tuple[CaseResult, ...]
    seconds: float
    screen: str
    harmless: bool = True
    together: int = 1
    not_met: frozenset[str] = frozenset()
    partial: bool = False

    @property
    def deviating(self) -> frozenset[str]:
        """The cases that deviated."""
        return frozenset(result.name for result in self.results if result.verdict is Verdict.DEVIATES)

    @property
    def deviating_as_expected(self) -> frozenset[str]:
        """The cases of the requirement that the defect breaks which deviated."""
        own = {result.name for result in self.results if result.requirement == self.server.breaks}
        return self.deviating & own

    @property
    def undecided(self) -> frozenset[str]:
        """The cases that were inconclusive, also of level should, which don't affect the exit code."""
        return frozenset(result.name for result in self.results if result.verdict is Verdict.INCONCLUSIVE)

    def holds(self, suite: Suite) -> bool:
        """Whether the proof succeeds: the defect deviates for its requirement, or the variant conforms.

        With a variant, no case may be inconclusive, and none may deviate but for the requirements in ``not_met``. In an
        environment, no session of another client may be killed, and if all cases are run, some is inconclusive.
        """
        if self.server.kind == "environment":
            matters = self.partial or bool(self.undecided)
            return self.harmless and not self.deviating and matters and self.code in {0, 1}
        if self.server.breaks is None:
            wrong = {result.requirement for result in self.results if result.verdict is Verdict.DEVIATES}
            return self.code == 0 and not self.undecided and wrong <= self.not_met
        level = suite.requirements[self.server.breaks].level
        return bool(self.deviating_as_expected) and (self.code == 1 or level is Level.OBSERVE)
