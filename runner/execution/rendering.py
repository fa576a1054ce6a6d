"""Fills in the holes of a statement: once for the server, once for people who will have other ids."""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.session import Session
from runner.database.target import TargetError
from runner.execution.guard import unused
from runner.execution.stage import Stage
from runner.execution.verdict import InconclusiveError
from runner.language.template import Hole, Template

LONG = 30
"""Seconds that a statement takes that is meant to take long: more than the default time limits together."""


@dataclass(frozen=True)
class Rendered:
    """A statement as it is sent, and as it is typed by hand."""

    text: str
    manual: str


class Renderer:
    """Renders the templates of one case."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def text(self, template: Template, session: Session | None = None) -> str:
        """The text alone; see ``render``."""
        return self.render(template, session).text

    def render(self, template: Template, session: Session | None = None) -> Rendered:
        """Fills in the holes; ``session`` is who will say it, and tries out how a word is spelled.

        Raises:
            InconclusiveError: an id is not known, or the target can't do what a word stands for.
        """
        text = manual = ""
        for piece in template.pieces:
            if isinstance(piece, str):
                text, manual = text + piece, manual + piece
            else:
                value = self._value(piece, session)
                text += value
                manual += self._by_hand(piece, value)
        return Rendered(text, manual)

    def _value(self, hole: Hole, session: Session | None) -> str:
        stage = self._stage
        if hole.word is not None:
            return self._word(hole.word, session)
        if hole.session is not None and hole.part != "id":
            account = stage.actors[hole.session].account
            return {"user": account.user, "lower_user": account.user.lower(), "password": account.password}[
                str(hole.part)
            ]
        base = hole.number if hole.session is None else int(stage.id_of(hole.session))
        number = (base or 0) // hole.over + hole.plus
        if hole.unused:
            try:
                number = unused(number, stage.target.process_list(), stage.actors)
            except TargetError as error:
                raise InconclusiveError(str(error)) from error
        return str(number)

    def _word(self, word: str, session: Session | None) -> str:
        if word == "table":
            return str(self._stage.provisions.table)
        if word == "role":
            return self._stage.provisions.role
        try:
            spelled = self._stage.target.word(word, session or self._stage.target.control)
        except TargetError as error:
            raise InconclusiveError(str(error)) from error
        return spelled.format(seconds=LONG)

    @staticmethod
    def _by_hand(hole: Hole, value: str) -> str:
        if hole.unused:
            return f"<a number that no session has, such as {value}>"
        if hole.session is None or hole.part != "id":
            return value
        built = f" + {hole.plus}" if hole.plus else f" / {hole.over}" if hole.over > 1 else ""
        return f"<id of {hole.session}{built}>"
