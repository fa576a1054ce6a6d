"""Whether what came is what a case claims."""

from __future__ import annotations

from collections.abc import Callable

from runner.database.oceanbase import ODPS_LIST, is_odps
from runner.database.outcome import Lost, Ok, Outcome, Rows, ServerError, succeeded
from runner.database.processlist import ProcessList
from runner.database.profile import Profile
from runner.language.model import Expect, ListedSession, Reply
from runner.language.template import Template


class Matcher:
    """Compares outcomes with claims.

    Args:
        profile: says which errors belong to which class.
        id_of: the id of a session of the case, as the list shows it.
        render: fills in a template's holes.
        show: an outcome for people.
    """

    def __init__(
        self,
        profile: Profile,
        id_of: Callable[[str], str],
        render: Callable[[Template], str],
        show: Callable[[Outcome], str] = str,
    ) -> None:
        self._show = show
        self._profile = profile
        self._id_of = id_of
        self._render = render

    def fits(self, outcome: Outcome, reply: Reply, before: Outcome | None = None) -> bool:
        """Whether one of the alternatives fits; ``before`` is what ``same-error`` or ``same-rows`` speaks of."""
        return any(self._fits(outcome, expect, before) for expect in reply)

    def undecided(self, outcome: Outcome, reply: Reply) -> str | None:
        """Why nobody can tell whether an outcome fits, or None.

        It is an error, and an alternative names a class of errors that the profile doesn't define; or it is a list
        that ODP made up itself, which is no answer of the server's.
        """
        if isinstance(outcome, Rows) and is_odps(ProcessList.read(outcome)):
            return ODPS_LIST
        if not isinstance(outcome, ServerError):
            return None
        named = (expect.error_class for expect in reply if expect.error_class is not None)
        return next((gap for name in named if (gap := self._profile.undefined(name)) is not None), None)

    def shown(self, outcome: Outcome) -> str:
        """What came, for people: with the classes that an error belongs to."""
        classes = self._profile.classes_of(outcome) if isinstance(outcome, ServerError) else []
        return self._show(outcome) + (f" [{', '.join(classes)}]" if classes else "")

    def _fits(  # noqa: PLR0911 - a case for each word of the language
        self, outcome: Outcome, expect: Expect, before: Outcome | None
    ) -> bool:
        match expect.kind:
            case "any":
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
                    expect.affected in {None, outcome.affected} and expect.warnings in {None, outcome.warnings}
                )
            case "rows":
                return isinstance(outcome, Rows) and self._rows_fit(outcome, expect)
            case error_class:
                return isinstance(outcome, ServerError) and error_class in self._profile.classes_of(outcome)

    def _rows_fit(self, rows: Rows, expect: Expect) -> bool:
        if expect.values is not None and rows.values != tuple(
            tuple(None if value is None else self._render(value) for value in row) for row in expect.values
        ):
            return False
        if rows.columns[: len(expect.columns)] != expect.columns:
            return False
        shown = ProcessList.read(rows) if expect.listed else None
        return all(shown is not None and self._lists(shown, listed) for listed in expect.listed)

    def _lists(self, shown: ProcessList, listed: ListedSession) -> bool:
        found = shown.with_id(self._id_of(listed.session))
        if len(found) != 1:
            return False
        for column, template in listed.fields:
            wanted = None if template is None else self._render(template)
            got = found[0].get(column)
            # A server may cut a long statement in INFO; no other column may be cut.
            cut = column.casefold() == "info" and bool(got) and wanted is not None and wanted.startswith(got or "")
            if got != wanted and not cut:
                return False
        return True


def _same_error(outcome: Outcome, before: Outcome | None) -> bool:
    if not isinstance(outcome, ServerError) or not isinstance(before, ServerError):
        return False
    return (outcome.code, outcome.sqlstate) == (before.code, before.sqlstate)


def describe(reply: Reply) -> str:
    """A claim for people."""
    return " or ".join(map(str, reply))
