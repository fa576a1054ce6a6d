"""Decides if a case applies to the server of a profile, and which of its statements are withheld there."""

from __future__ import annotations

from runner.database.profile import Profile
from runner.language.guarded_statements import statements_under_test
from runner.language.message_text import printable
from runner.language.model import Case, Send, Vocabulary, flat
from runner.language.placeholder_text import Template

SEND_WITHHELD = "--send-withheld"
"""The option of ``run`` and ``doctor`` for targets to which every statement may be sent."""


def not_applicable(case: Case, profile: Profile, vocabulary: Vocabulary) -> str | None:
    """The reason why a case does not apply to such a server; None if it does.

    A requirement about the exact words of a statement does not apply if the profile sends another statement.
    """
    because = exempted(case, profile) or withheld(case, profile)
    if because is not None or not case.requirement.verbatim:
        return because
    for statement in statements_under_test(case, vocabulary):
        sent = profile.spell(by_hand := _by_hand(statement))
        if sent != by_hand:
            exact = f"{case.requirement.id} is about the exact words of the statement"
            return f"{exact}, and the profile sends {printable(sent)} instead"
    return None


def exempted(case: Case, profile: Profile) -> str | None:
    """The reason in the profile why the server lacks the feature that a case tests; None if it has the feature."""
    for name in case.needs:
        if name in profile.lacks:
            return f"needs {name} ({case.vocabulary.capabilities[name].text}): {profile.lacks[name]}"
    return profile.exemption_reason(case.requirement.id, case.id, case.name)


def withheld(case: Case, profile: Profile) -> str | None:
    """The reason why a statement of a case is not sent to such a server; None if all are sent."""
    for step in flat(case.steps):
        if isinstance(step, Send) and (because := profile.withholds(profile.spell(step.statement.literal))) is not None:
            return f"not sent without {SEND_WITHHELD}: {because}"
    return None


def _by_hand(statement: Template) -> str:
    """The statement with placeholders such as ``<id of victim>``."""
    return "".join(
        piece if isinstance(piece, str) else f"<id of {piece.session}>" if piece.part == "id" else f"<{piece.text}>"
        for piece in statement.pieces
    )
