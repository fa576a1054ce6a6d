"""Checks what a profile makes of the cases' guarded statements, before any case runs."""

from __future__ import annotations

from collections.abc import Iterable

from runner.database.profile import Profile
from runner.language.model import Case, Say, Vocabulary, flat
from runner.language.problems import SourceError
from runner.language.shape import fault
from runner.language.template import Template


def is_guarded(template: Template, statement: str, spelled: str, vocabulary: Vocabulary) -> bool:
    """Whether a statement of the cases has to pass the guard.

    Args:
        template: what the case says: whatever carries an id may end its session, however it is spelled, or misspelt.
        statement: the template, filled in.
        spelled: as the profile spells it; the reader has checked what the case says, but not what becomes of it.
        vocabulary: of the register.
    """
    return (
        template.names_ids
        or any(map(vocabulary.guards, (statement, spelled)))
        or (spelled != statement and not vocabulary.is_harmless(spelled))
    )


def check_spellings(profile: Profile, cases: Iterable[Case], vocabulary: Vocabulary) -> None:
    """Checks that each guarded statement that a profile respells still has one of the allowed shapes.

    Raises:
        SourceError: at the case's step; it names the statement that is not allowed.
    """
    for case in cases:
        if profile.exempts(case.requirement.id, case.id, case.name) is not None:
            continue
        for step in flat(case.steps):
            if not isinstance(step, Say):
                continue
            statement = step.statement.literal
            spelled = profile.spell(statement)
            if spelled == statement or not is_guarded(step.statement, statement, spelled, vocabulary):
                continue
            if (found := fault(spelled, vocabulary, profile.spelled_words)) is not None:
                raise SourceError(
                    step.place,
                    f"the profile {profile.name} sends this as {spelled!r}: {found.what}",
                    f"change the spelling, or list the case under not_applicable; {found.hint}",
                )
