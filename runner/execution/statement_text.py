"""Fills in the placeholders of a statement: values of this run to send, and readable names to type by hand."""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.session import Session
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_sessions import CaseSessions
from runner.execution.session_ids import unused_id
from runner.language.placeholder_text import Hole, Template

LONG = 30
"""Seconds for statements that have to run long: more than the sum of the default time limits."""


@dataclass(frozen=True)
class Rendered:
    """A statement to send, and the same with placeholders, to type it by hand."""

    text: str
    manual: str


class Renderer:
    """Renders the templates of one case.

    Attributes:
        kept: the values that steps have kept, by name.
    """

    def __init__(self, sessions: CaseSessions) -> None:
        self._sessions = sessions
        self.kept: dict[str, str] = {}

    def text(self, template: Template, client: Session | None = None) -> str:
        """The text of a reply or a login, in which names are without quotes; see ``render``."""
        return "".join(piece if isinstance(piece, str) else self._value(piece, client) for piece in template.pieces)

    def render(self, template: Template, client: Session | None = None) -> Rendered:
        """Fills in the values of a statement, in which names with small letters are in quotes.

        ``client`` will send the statement, and tries out the spellings of words.

        Raises:
            InconclusiveError: an id is unknown, or the target supports no spelling of a word.
        """
        text = manual = ""
        for piece in template.pieces:
            if isinstance(piece, str):
                text, manual = text + piece, manual + piece
            else:
                value = self._value(piece, client)
                if piece.part == "user":
                    value = self._sessions.target.profile.quoted(value)
                text += value
                manual += self._manual(piece, value)
        return Rendered(text, manual)

    def _value(self, hole: Hole, client: Session | None) -> str:
        sessions = self._sessions
        if hole.word is not None:
            return self._word(hole.word, client)
        if hole.kept is not None:
            return self._kept(hole)
        if hole.session is not None and hole.part != "id":
            account = sessions.by_name[hole.session].account
            return {"user": account.user, "lower_user": account.user.lower(), "password": account.password}[
                str(hole.part)
            ]
        base = hole.number if hole.session is None else int(sessions.id_of(hole.session))
        number = (base or 0) // hole.over + hole.plus
        if hole.unused:
            try:
                own = [each.id for each in sessions.by_name.values() if each.id is not None]
                number = unused_id(number, sessions.target.process_list(), own)
            except TargetError as error:
                raise InconclusiveError(str(error)) from error
        return str(number)

    def _kept(self, hole: Hole) -> str:
        """A kept value, or a number computed from it."""
        kept = self.kept[str(hole.kept)]
        if not hole.is_built:
            return kept
        try:
            return str(int(kept) // hole.over + hole.plus)
        except ValueError as error:
            raise InconclusiveError(f"the kept value {hole.kept} is no whole number: {kept}") from error

    def _word(self, word: str, client: Session | None) -> str:
        if word == "table":
            return str(self._sessions.fixtures.table)
        if word == "role":
            return self._sessions.fixtures.role
        try:
            spelled = self._sessions.target.word(word, client or self._sessions.target.administrator.session)
        except TargetError as error:
            raise InconclusiveError(str(error)) from error
        return spelled.format(seconds=LONG)

    @staticmethod
    def _manual(hole: Hole, value: str) -> str:
        if hole.unused:
            return f"<a number that no session has, such as {value}>"
        if hole.session is None or hole.part != "id":
            return value
        built = f" + {hole.plus}" if hole.plus else f" / {hole.over}" if hole.over > 1 else ""
        return f"<id of {hole.session}{built}>"
