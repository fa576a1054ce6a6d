"""Defects: a text with several statements is executed, although the client did not enable CLIENT_MULTI_STATEMENTS."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.tokens import tokens_of


def _statements_of(text: str) -> list[str]:
    """The statements of a text, separated by semicolons outside quotes."""
    ends = [token.start for token in tokens_of(text) if token.value == ";"]
    parts = [text[start:end].strip() for start, end in zip([0, *(end + 1 for end in ends)], [*ends, len(text)])]  # noqa: B905 - the same length
    return [part for part in parts if part]


class _RunsSeveral(Engine):
    """Executes the statements of a text one by one; the reply is that of the last one."""

    async def execute(self, session: Session, text: str) -> Result:
        statements = _statements_of(text) if "BEGIN" not in text.upper() else [text]
        if len(statements) < 2:  # noqa: PLR2004 - one statement or none
            return await super().execute(session, text)
        return await self.execute_several(session, statements)

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        raise NotImplementedError

    async def execute_unchecked(self, session: Session, text: str) -> Result:
        """Executes a statement; KILL without a check of the privilege."""
        statement = self.parse(text)
        if not isinstance(statement, sql.KillSession):
            return await super().execute(session, text)
        kill = self.instance.kill
        await kill.end(session, kill.find(kill.read_id(statement)), statement)
        return kill.reply()


@breaks("SYN-6")
class RunsEveryStatementOfAText(_RunsSeveral):
    """All statements of a text are executed one by one, until one fails."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        result: Result = Done()
        for statement in statements:
            result = await super().execute(session, statement)
        return result


@breaks("SYN-6")
class RunsTheLastStatementOfAText(_RunsSeveral):
    """Only the last statement of a text is executed."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        return await super().execute(session, statements[-1])


@breaks("PUR-2")
class OnlyTheFirstStatementIsChecked(_RunsSeveral):
    """All statements of a text are executed; the privilege is checked only for the first one."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        result = await super().execute(session, statements[0])
        for statement in statements[1:]:
            result = await self.execute_unchecked(session, statement)
        return result


@breaks("PUR-2")
class StatementsOfATextAreNotChecked(_RunsSeveral):
    """All statements of a text are executed, without privilege checks, and errors are ignored."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        result: Result = Done()
        for statement in statements:
            try:
                result = await self.execute_unchecked(session, statement)
            except errors.SqlError:
                result = Done()
        return result
