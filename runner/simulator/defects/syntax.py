"""Defects of the grammar: invalid texts are accepted, or valid ones refused."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import re
from difflib import get_close_matches

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.parser import KillGrammar
from runner.simulator.sql.tokens import BAD, END, NUMBER, QUOTED, WORD, Cursor, tokens_of
from runner.simulator.timers import call_later

WORDS = ("ALTER", "SYSTEM", "KILL", "SESSION", "IMMEDIATE")
ONE_BLANK_EACH = re.compile(r"\S+( \S+)*", re.ASCII)


@breaks("SYN-4")
class RefusesTheSemicolon(KillGrammar):
    """A closing semicolon is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if cursor.now.value == ";":
            cursor.fail()
        return statement


@breaks("SYN-4")
class DemandsTheSemicolon(KillGrammar):
    """A statement without its closing semicolon is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if cursor.now.value != ";":
            cursor.fail()
        return statement


@breaks("SYN-4")
class RefusesTheSemicolonOfTheSerialForm(KillGrammar):
    """A closing semicolon after id and serial# is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if isinstance(statement, sql.KillSession) and "," in statement.text and cursor.now.value == ";":
            cursor.fail()
        return statement


@breaks("SYN-4")
class RefusesTheSemicolonOfImmediate(KillGrammar):
    """A closing semicolon after IMMEDIATE is a syntax error."""

    def immediate(self, cursor: Cursor) -> bool:
        found = super().immediate(cursor)
        if found and cursor.now.value == ";":
            cursor.fail()
        return found


@breaks("SYN-4")
class DoesNothingWithASemicolon(KillGrammar):
    """With a closing semicolon the statement replies OK and does nothing."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        return sql.Nothing() if cursor.now.value == ";" else statement


@breaks("SYN-5")
class TakesCapitalsOnly(KillGrammar):
    """Keywords in lower case are a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        for token in tokens_of(cursor.sql):
            if token.kind == WORD and not cursor.raw(token).isupper():
                cursor.fail_at(token)
        return super().session(cursor)


@breaks("SYN-5")
class TakesNoComments(KillGrammar):
    """A comment within the statement is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        if "/*" in cursor.sql or "--" in cursor.sql:
            cursor.fail()
        return super().session(cursor)


@breaks("SYN-5")
class TakesOneLineOnly(KillGrammar):
    """A line break within the statement is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        if "\n" in cursor.sql:
            cursor.fail()
        return super().session(cursor)


@breaks("SYN-5")
class TakesSingleBlanksOnly(KillGrammar):
    """White space other than one blank between two words is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        if not ONE_BLANK_EACH.fullmatch(cursor.sql):
            cursor.fail()
        return super().session(cursor)


@breaks("SYN-6")
class IgnoresWhatFollows(KillGrammar):
    """Text after the statement is ignored."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        while cursor.now.kind not in (BAD, END) and cursor.now.value != ";":
            cursor.next()
        return statement


@breaks("SYN-6")
class TakesIdsWithoutQuotes(KillGrammar):
    """The id is accepted without quotes."""

    def text(self, cursor: Cursor) -> str:
        return cursor.next().value if cursor.now.kind == NUMBER else super().text(cursor)


@breaks("SYN-6")
class TakesIdAndSerialWithoutQuotes(KillGrammar):
    """Id and serial# are accepted without quotes, the id alone is not."""

    def text(self, cursor: Cursor) -> str:
        if cursor.now.kind != NUMBER:
            return super().text(cursor)
        number = cursor.next().value
        cursor.expect_symbol(",")
        return f"{number}, {cursor.take(NUMBER).value}"


@breaks("SYN-6")
class TakesAnOpenQuote(Engine):
    """A missing closing quote is accepted."""

    def parse(self, text: str) -> sql.Statement:
        return super().parse(text + "'" if text.count("'") % 2 and "KILL" in text.upper() else text)


@breaks("SYN-6")
class TakesImmediateTwice(KillGrammar):
    """IMMEDIATE is accepted several times."""

    def immediate(self, cursor: Cursor) -> bool:
        found = super().immediate(cursor)
        while cursor.accept("IMMEDIATE"):
            pass
        return found


@breaks("SYN-6")
class TakesImmediateInFront(KillGrammar):
    """IMMEDIATE is accepted before the id."""

    def text(self, cursor: Cursor) -> str:
        cursor.accept("IMMEDIATE")
        return super().text(cursor)


@breaks("SYN-6")
class GuessesMisspeltWords(Engine):
    """Misspelt keywords are accepted."""

    def parse(self, text: str) -> sql.Statement:
        try:
            return super().parse(text)
        except errors.SqlError:
            guessed = re.sub(r"[A-Z]+", lambda word: (get_close_matches(word[0], WORDS, 1, 0.7) or [word[0]])[0], text)
            return super().parse(guessed)


@breaks("SYN-6")
class TakesNoreplay(KillGrammar):
    """NOREPLAY is accepted in place of IMMEDIATE, as in newer versions of Oracle."""

    def immediate(self, cursor: Cursor) -> bool:
        return super().immediate(cursor) or cursor.accept("NOREPLAY")


@breaks("SYN-6")
class TakesTwoIds(KillGrammar):
    """More ids after the first one are accepted and ignored."""

    def text(self, cursor: Cursor) -> str:
        text = super().text(cursor)
        while cursor.symbol(","):
            cursor.next()
        return text


@breaks("SYN-6")
class NeedsNoSession(KillGrammar):
    """The word SESSION is optional."""

    def session(self, cursor: Cursor) -> sql.Statement:
        cursor.accept("SESSION")
        return sql.KillSession(self.text(cursor), self.immediate(cursor))


@breaks("SYN-6")
class NeedsNoAlterSystem(Engine):
    """The words ALTER SYSTEM are optional."""

    def parse(self, text: str) -> sql.Statement:
        short = text.upper().startswith("KILL SESSION")
        return super().parse(f"ALTER SYSTEM {text}" if short else text)


@breaks("SYN-6")
class NeedsNoId(KillGrammar):
    """Without an id the statement replies OK."""

    def session(self, cursor: Cursor) -> sql.Statement:
        if cursor.sees("SESSION") and cursor.sql.rstrip(" ;").upper().endswith("SESSION"):
            cursor.next()
            return sql.Nothing()
        return super().session(cursor)


@breaks("SYN-6")
class SyntaxErrorsAreInternalErrors(Engine):
    """Text that is not a statement gives an internal error."""

    def parse(self, text: str) -> sql.Statement:
        try:
            return super().parse(text)
        except errors.SqlError:
            raise errors.unexpected() from None


@breaks("SYN-6")
class RefusesAndEndsAllTheSame(Engine):
    """A word after the statement is a syntax error, but the session is killed before."""

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError:
            found = re.match(r"ALTER SYSTEM KILL SESSION '([0-9]+)' \w", text)
            victim = self.instance.registry.find(int(found[1])) if found else None
            if victim is not None and self.instance.privileges.holds(session, "ALTER SYSTEM"):
                call_later(0, self.instance.ending.kill, victim)
            raise


@breaks("SYN-4")
class PreparedStatementsTakeNoSemicolon(Connection):
    """A closing semicolon is a syntax error in a prepared statement."""

    def _prepare(self, session: Session, text: str) -> None:
        if text.endswith(";"):
            self._send_error(errors.syntax_error(";", 1))
        else:
            super()._prepare(session, text)


@breaks("SYN-5")
class TakesNoWhiteSpaceAfterTheSemicolon(KillGrammar):
    """White space behind the closing semicolon is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if cursor.now.value == ";" and cursor.sql[cursor.now.end :].isspace():
            cursor.fail()
        return statement


@breaks("SYN-5")
class TakesNoWhiteSpaceAtTheEnd(KillGrammar):
    """White space behind a statement without a semicolon is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if cursor.now.kind == END and cursor.sql[-1].isspace():
            cursor.fail()
        return statement


@breaks("SYN-5")
class TakesImmediateInCapitalsOnly(KillGrammar):
    """IMMEDIATE in small letters is a syntax error; the other words may have any letters."""

    def immediate(self, cursor: Cursor) -> bool:
        found = super().immediate(cursor)
        if found and cursor.sql[cursor.previous.start : cursor.previous.end].islower():
            cursor.fail()
        return found


@breaks("SYN-5")
class TakesNoWhiteSpaceInFront(KillGrammar):
    """White space before the first word is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        if cursor.sql[0].isspace():
            cursor.fail()
        return super().session(cursor)


@breaks("SYN-5")
class TakesNoCommentInFront(KillGrammar):
    """A comment before the first word is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        if cursor.sql.startswith(("/*", "--")):
            cursor.fail()
        return super().session(cursor)


@breaks("SYN-5")
class TakesNoCommentAtTheEnd(KillGrammar):
    """A comment behind the last word is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if cursor.now.kind == END and cursor.sql[cursor.previous.end :].strip():
            cursor.fail()
        return statement


class _TakesAnotherWord(KillGrammar):
    """Accepts another word in place of SESSION."""

    word: str

    def session(self, cursor: Cursor) -> sql.Statement:
        if cursor.accept(self.word):
            return sql.KillSession(self.text(cursor), self.immediate(cursor))
        return super().session(cursor)


@breaks("SYN-6")
class TakesThePlural(_TakesAnotherWord):
    """KILL SESSIONS is accepted."""

    word = "SESSIONS"


@breaks("SYN-6")
class TakesConnectionForSession(_TakesAnotherWord):
    """ALTER SYSTEM KILL CONNECTION is accepted, as the plain KILL has this word."""

    word = "CONNECTION"


@breaks("SYN-6")
class TakesACommaBehindTheId(KillGrammar):
    """A comma behind the quoted id is accepted."""

    def text(self, cursor: Cursor) -> str:
        text = super().text(cursor)
        cursor.symbol(",")
        return text


@breaks("SYN-6")
class TakesPostTransaction(KillGrammar):
    """POST_TRANSACTION is accepted in place of IMMEDIATE."""

    def immediate(self, cursor: Cursor) -> bool:
        return not cursor.accept("POST_TRANSACTION") and super().immediate(cursor)


@breaks("SYN-6")
class TakesDisconnect(Engine):
    """ALTER SYSTEM DISCONNECT SESSION is accepted, as in Oracle."""

    def parse(self, text: str) -> sql.Statement:
        return super().parse(text.replace("ALTER SYSTEM DISCONNECT", "ALTER SYSTEM KILL"))


@breaks("SYN-6")
class TakesDoubleQuotes(KillGrammar):
    """An id in double quotes is accepted, as on servers on which these enclose texts, too."""

    def text(self, cursor: Cursor) -> str:
        return cursor.next().value if cursor.now.kind == QUOTED else super().text(cursor)


class _IgnoresWhatFollowsWhenPrepared(Connection):
    def _prepare(self, session: Session, text: str) -> None:
        statement = re.match(r"ALTER SYSTEM KILL SESSION '[^']*'( IMMEDIATE)?", text)
        super()._prepare(session, statement[0] if statement else text)


@breaks("SYN-6")
def ignores_what_follows_when_prepared(components: Components) -> Components:
    """Text after a prepared statement is ignored."""
    return components.with_overrides(_IgnoresWhatFollowsWhenPrepared)
