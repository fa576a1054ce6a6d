"""Compares the outcomes of steps with the claims of the case."""

from __future__ import annotations

import re
from collections.abc import Callable

from runner.database.outcome import Lost, Ok, Outcome, Rows, ServerError, succeeded
from runner.database.process_list import ProcessList, is_odps
from runner.database.profile import Profile
from runner.database.target_fixes import ODPS_LIST
from runner.language.model import Claim, ExpectedReply, ListedSession
from runner.language.placeholder_text import Template

_COMMENTS_BEFORE = re.compile(r"\A\s*/\*.*?\*/(?:\s*/\*.*?\*/)*\s*", re.DOTALL)


class ClaimMatcher:
    """Compares outcomes with claims.

    Args:
        profile: defines the error classes.
        id_of: returns the id of a session of the case.
        render: returns a template's text with its values.
        describe_outcome: returns the text of an outcome.
        user_of: returns the user of a session; without it, the id alone identifies a row.
    """

    def __init__(
        self,
        profile: Profile,
        id_of: Callable[[str], str],
        render: Callable[[Template], str],
        describe_outcome: Callable[[Outcome], str] = str,
        user_of: Callable[[str], str] | None = None,
    ) -> None:
        self._user_of = user_of
        self._describe_outcome = describe_outcome
        self._profile = profile
        self._id_of = id_of
        self._render = render

    def fits(self, outcome: Outcome, claim: Claim, before: Outcome | None = None) -> bool:
        """Whether an alternative of the claim fits; ``before`` is the outcome for ``same-error`` and ``same-rows``."""
        return any(self._fits(outcome, alternative, before) for alternative in claim)

    def undecided(self, outcome: Outcome, claim: Claim) -> str | None:
        """The reason why the comparison is undecidable; None if it isn't.

        Either the profile does not define the claimed error class, or the outcome is ODP's own process list.
        """
        if isinstance(outcome, Rows) and is_odps(ProcessList.read(outcome)):
            return ODPS_LIST
        if not isinstance(outcome, ServerError):
            return None
        named = (alternative.error_class for alternative in claim if alternative.error_class is not None)
        return next((gap for name in named if (gap := self._profile.missing_error_class(name)) is not None), None)

    def describe(self, outcome: Outcome) -> str:
        """The text of an outcome, with the error classes of an error."""
        classes = self._profile.classes_of(outcome) if isinstance(outcome, ServerError) else []
        return self._describe_outcome(outcome) + (f" [{', '.join(classes)}]" if classes else "")

    def _fits(  # noqa: PLR0911 - one case per word of the language
        self, outcome: Outcome, alternative: ExpectedReply, before: Outcome | None
    ) -> bool:
        match alternative.kind:
            case "observed":
                return True
            case "success":
                return succeeded(outcome)
            case "error":
                return isinstance(outcome, ServerError)
            case "same-error":
                return _same_error(outcome, before)
            case "same-rows":
                return isinstance(outcome, Rows) and isinstance(before, Rows) and outcome.values == before.values
            case "connection-lost":
                return isinstance(outcome, Lost)
            case "ok":
                return isinstance(outcome, Ok) and (
                    alternative.affected in {None, outcome.affected}
                    and alternative.warnings in {None, outcome.warnings}
                    and (alternative.affected is None or not outcome.earlier)
                )
            case "rows":
                return isinstance(outcome, Rows) and self._rows_fit(outcome, alternative)
            case error_class:
                return isinstance(outcome, ServerError) and error_class in self._profile.classes_of(outcome)

    def _rows_fit(self, rows: Rows, alternative: ExpectedReply) -> bool:
        if alternative.values is not None and rows.values != tuple(
            tuple(None if value is None else self._render(value) for value in row) for row in alternative.values
        ):
            return False
        if rows.columns[: len(alternative.columns)] != alternative.columns:
            return False
        process_list = ProcessList.read(rows) if alternative.listed else None
        return all(process_list is not None and self._lists(process_list, listed) for listed in alternative.listed)

    def _lists(self, process_list: ProcessList, listed: ListedSession) -> bool:
        found = process_list.with_id(self._id_of(listed.session))
        if listed.absent:  # another user's session may have got the id
            user = self._user_of(listed.session) if self._user_of else None
            own = found if user is None else [row for row in process_list.of_user(user) if row in found]
            return not own
        if len(found) != 1:
            return False
        for column, template in listed.fields:
            wanted = None if template is None else self._render(template)
            got = found[0].get(column)
            # A server may cut a long statement in INFO, and show the tenant after a name; a proxy may put a comment in
            # front of a statement or behind it. Nothing else may differ.
            if column.casefold() == "info" and got is not None and got != wanted:
                got = _without_outer_comments(got)
            cut = column.casefold() == "info" and bool(got) and wanted is not None and wanted.startswith(got or "")
            named = column.casefold() == "user" and got is not None and got.partition("@")[0] == wanted
            if got != wanted and not cut and not named:
                return False
        return True


def _same_error(outcome: Outcome, before: Outcome | None) -> bool:
    if not isinstance(outcome, ServerError) or not isinstance(before, ServerError):
        return False
    return (outcome.code, outcome.sqlstate) == (before.code, before.sqlstate)


def describe_claim(claim: Claim) -> str:
    """The text of a claim."""
    return " or ".join(map(str, claim))


def _without_outer_comments(text: str) -> str:
    """A statement without the comments in front of it and behind it."""
    text = _COMMENTS_BEFORE.sub("", text)
    end, rest = len(text), len(text.rstrip())
    # No expression: searching for comments at the end takes minutes with a text of many comments.
    while text.endswith("*/", 0, rest) and (start := text.rfind("/*", 0, rest)) >= 0:
        while start and text[start - 1].isspace():
            start -= 1
        end = rest = start
    return text[:end]
