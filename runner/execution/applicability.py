"""Whether a case says anything about a kind of server: by its profile, and by how its statements are spelled there."""

from __future__ import annotations

from collections.abc import Iterator

from runner.database.profile import Profile
from runner.language.model import Case, Say, Vocabulary, flat
from runner.language.template import Template

SEND_WITHHELD = "--send-withheld"
"""The option of ``pytest cases`` and ``doctor`` for targets to which everything may be sent."""


def not_applicable(case: Case, profile: Profile, vocabulary: Vocabulary) -> str | None:
    """Why a case says nothing about such a server; None if it does.

    A requirement on the very words of a statement can't be met by another statement.
    """
    because = profile.exempts(case.requirement.id, case.id, case.name) or withheld(case, profile)
    if because is not None or not case.requirement.verbatim:
        return because
    for statement in _under_test(case, vocabulary):
        sent = profile.spell(by_hand := _by_hand(statement))
        if sent != by_hand:
            return (
                f"{case.requirement.id} is about the exact words of the statement, and the profile sends {sent} instead"
            )
    return None


def withheld(case: Case, profile: Profile) -> str | None:
    """Why a statement of a case is not to be sent to such a server; None if all are."""
    for step in flat(case.steps):
        if isinstance(step, Say) and (because := profile.withholds(profile.spell(step.statement.literal))) is not None:
            return f"not sent without {SEND_WITHHELD}: {because}"
    return None


def _under_test(case: Case, vocabulary: Vocabulary) -> Iterator[Template]:
    for step in flat(case.steps):
        if isinstance(step, Say):
            statement = step.statement
            if statement.names_ids or vocabulary.guards(statement.literal) or case.requirement.is_about(statement.text):
                yield statement


def _by_hand(statement: Template) -> str:
    """The statement with ``<id of victim>`` and the like in its holes."""
    return "".join(
        piece if isinstance(piece, str) else f"<id of {piece.session}>" if piece.part == "id" else f"<{piece.text}>"
        for piece in statement.pieces
    )
