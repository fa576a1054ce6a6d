"""The users and the table that a case changes, so that no other case can use them."""

from __future__ import annotations

from dataclasses import dataclass

from runner.accounts.accounts_check import CHANGES_USERS
from runner.language.model import Case, Create, Send, flat


@dataclass(frozen=True)
class CaseChanges:
    """The users and the table that a case may change.

    Attributes:
        users: the sessions whose users are named in a GRANT, REVOKE, DROP or the like.
        table: whether such a statement names the table.
    """

    users: frozenset[str]
    table: bool

    @classmethod
    def of(cls, case: Case) -> CaseChanges:
        """The changes of a case; all users, if such a statement names none."""
        statements = [step.statement for step in flat(case.steps) if isinstance(step, Send)]
        holes = [tuple(each.holes) for each in statements if CHANGES_USERS.search(each.text)]
        names = {step.session for step in flat(case.steps) if isinstance(step, Create)}
        names |= {hole.session for found in holes for hole in found if hole.session is not None}
        if any(all(hole.session is None and hole.word != "role" for hole in found) for found in holes):
            names = {spec.name for spec in case.sessions}
        names |= {spec.same_user_as for spec in case.sessions if spec.name in names and spec.same_user_as is not None}
        return cls(frozenset(names), any(hole.word == "table" for found in holes for hole in found))
