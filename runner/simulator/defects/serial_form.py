"""Defects of the forms with and without serial#, and of its value, which is reserved and has no effect."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement, session_id
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.parser import KillGrammar
from runner.simulator.sql.statements import KillSession
from runner.simulator.sql.tokens import BAD, END, Cursor
from runner.simulator.tables import Transaction
from runner.simulator.timers import call_later

SIXTEEN_BITS = 0xFFFF
THIRTY_TWO_BITS = 0xFFFFFFFF
MAX_DIGITS = 18
_MOST_DIGITS = 30
LATE_SECONDS = 30.0


@breaks("SYN-1")
class RefusesTheComma(KillSessionStatement):
    """Accepts only an id between the quotes, and refuses id and serial#."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(_serial(statement) is not None) or super().read_id(statement)


@breaks("SYN-1")
class RefusesTheBlank(KillSessionStatement):
    """Accepts id and serial# only without a blank after the comma, as clients for Oracle send it."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(" " in statement.text) or super().read_id(statement)


@breaks("SYN-1")
class IgnoresTheSerialForm(KillSessionStatement):
    """With a serial# the statement replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is None:
            await super().end(session, victim, statement)


@breaks("SYN-1")
class SerialFormEndsWithAnError(KillSessionStatement):
    """With a serial# the session is killed, but the reply is an error."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if _serial(statement) is not None:
            raise errors.unexpected()


@breaks("SYN-1")
class SerialFormNeedsTheAdministrator(KillSessionStatement):
    """With a serial# only the administrator may send the statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is not None and not session.user.administrator:
            raise errors.no_privilege()
        await super().end(session, victim, statement)


@breaks("SYN-2")
class DemandsASerial(KillSessionStatement):
    """Refuses an id without a serial#, as in Oracle."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(_serial(statement) is None) or super().read_id(statement)


@breaks("SYN-2")
class IgnoresThePlainForm(KillSessionStatement):
    """Without serial# and IMMEDIATE the statement replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is not None or statement.immediate:
            await super().end(session, victim, statement)


@breaks("SYN-2")
class PlainFormEndsWithAnError(KillSessionStatement):
    """Without serial# and IMMEDIATE the session is killed, but the reply is an error."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if _serial(statement) is None and not statement.immediate:
            raise errors.unexpected()


@breaks("SYN-9")
class DemandsTheBlank(KillSessionStatement):
    """Refuses id and serial# without a blank after the comma."""

    def read_id(self, statement: KillSession) -> int:
        serial = _serial(statement)
        return _refused_if(serial is not None and not serial.startswith(" ")) or super().read_id(statement)


@breaks("SYN-9")
class MissesTheCommaWithoutABlank(KillSessionStatement):
    """Without a blank after the comma, reads all digits as the id."""

    def read_id(self, statement: KillSession) -> int:
        return session_id(statement.text.partition(", ")[0].replace(",", ""))


@breaks("PAR-3")
class TakesTheSerialForTheId(KillSessionStatement):
    """If there is a serial#, the session with this id is killed."""

    def read_id(self, statement: KillSession) -> int:
        return session_id((_serial(statement) or statement.text).strip())


@breaks("PAR-3")
class PrefersALivingSerial(KillSessionStatement):
    """If serial# is the id of a session, that session is killed instead."""

    def read_id(self, statement: KillSession) -> int:
        serial = session_id((_serial(statement) or "").strip())
        return serial if self.registry.find(serial) else super().read_id(statement)


@breaks("PAR-3")
class FallsBackOnTheSerial(KillSessionStatement):
    """If the id is unknown, the session whose id is the serial# is killed."""

    def read_id(self, statement: KillSession) -> int:
        number = super().read_id(statement)
        serial = session_id((_serial(statement) or "").strip())
        return serial if self.registry.find(number) is None and self.registry.find(serial) else number


@breaks("PAR-3")
class EndsTheSerialToo(KillSessionStatement):
    """If serial# is the id of a session, that session is killed as well."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        other = self.registry.find(session_id((_serial(statement) or "").strip()))
        if other is not None and other is not session:
            self.ending.kill(other)


@breaks("PAR-3")
class ComparesTheSerial(KillSessionStatement):
    """Refuses a serial# other than the session's own, which is always 1 here."""

    def read_id(self, statement: KillSession) -> int:
        serial = _serial(statement)
        return _refused_if(serial is not None and session_id(serial) != 1) or super().read_id(statement)


@breaks("PAR-3")
class DemandsTheSerialTwiceAlike(KillSessionStatement):
    """Accepts from each session only the first serial# that it sent."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.first_serials: dict[int, str] = {}

    async def run(self, session: Session, statement: KillSession) -> Result:
        serial = _serial(statement)
        _refused_if(serial is not None and self.first_serials.setdefault(session.number, serial) != serial)
        return await super().run(session, statement)


@breaks("PAR-3")
class RefusesSerialZero(KillSessionStatement):
    """Refuses 0 as serial#."""

    def read_id(self, statement: KillSession) -> int:
        serial = _serial(statement)
        return _refused_if(serial is not None and set(serial.strip()) == {"0"}) or super().read_id(statement)


@breaks("PAR-3")
class RefusesLargeSerials(KillSessionStatement):
    """Refuses a serial# beyond 16 bits."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(_value(statement) > SIXTEEN_BITS) or super().read_id(statement)


@breaks("PAR-3")
class RefusesSerialsBeyond32Bits(KillSessionStatement):
    """Refuses a serial# beyond 32 bits."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(_value(statement) > THIRTY_TWO_BITS) or super().read_id(statement)


@breaks("PAR-3")
class RefusesLongSerials(KillSessionStatement):
    """Refuses a serial# of more than 18 digits."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(len((_serial(statement) or "").strip()) > MAX_DIGITS) or super().read_id(statement)


@breaks("PAR-3")
class RefusesALivingSerial(KillSessionStatement):
    """Refuses a serial# that is another session's id."""

    def read_id(self, statement: KillSession) -> int:
        number = super().read_id(statement)
        serial = session_id((_serial(statement) or "").strip())
        _refused_if(serial != number and self.registry.find(serial) is not None)
        return number


@breaks("PAR-3")
class RefusesTheIdAsSerial(KillSessionStatement):
    """Refuses a serial# that is the same number as the id."""

    def read_id(self, statement: KillSession) -> int:
        number = super().read_id(statement)
        _refused_if(_value(statement) == number)
        return number


@breaks("PAR-3")
class SerialZeroDoesNothing(KillSessionStatement):
    """With 0 as serial# the statement replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is None or _value(statement) != 0:
            await super().end(session, victim, statement)


@breaks("PAR-3")
class CommitsWithASerial(KillSessionStatement):
    """With a serial# the killed session's changes are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is not None:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("PAR-3")
class LeavesTheLocksWithASerial(KillSessionStatement):
    """With a serial# the killed session's row locks are released half a minute later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        transaction = victim.transaction
        if _serial(statement) is not None:
            victim.transaction = Transaction()
        await super().end(session, victim, statement)
        if victim.transaction is not transaction:
            call_later(LATE_SECONDS, transaction.roll_back)


@breaks("PAR-3")
class RollsTheKillerBackWithASerial(KillSessionStatement):
    """With a serial# the transaction of the session that sends the statement is rolled back."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if _serial(statement) is not None:
            session.transaction.roll_back()


def _serial(statement: KillSession) -> str | None:
    """The text after the comma, or None."""
    _, comma, serial = statement.text.partition(",")
    return serial if comma else None


def _value(statement: KillSession) -> int:
    serial = (_serial(statement) or "").strip()
    return int(serial) if serial.isascii() and serial.isdigit() else 0


def _refused_if(wrong: bool) -> int:
    """Raises an error if ``wrong``; else returns 0, so that it can be followed by ``or``."""
    if wrong:
        raise errors.invalid_session_id()
    return 0


@breaks("PUR-1")
class SparesSessionsOfTheAdministrator(KillSessionStatement):
    """With serial# or IMMEDIATE, a session of the administrator is not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (victim.user.administrator and ("," in statement.text or statement.immediate)):
            await super().end(session, victim, statement)


@breaks("PAR-3")
class DemandsASerialFromThenOn(KillSessionStatement):
    """Once a session has sent a serial#, its later statements without one are refused."""

    used: ClassVar[set[Session]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        if "," in statement.text:
            self.used.add(session)
        elif session in self.used:
            raise errors.invalid_session_id()
        return await super().run(session, statement)


@breaks("PAR-3")
class SerialReachesTheOwnUserOnly(KillSessionStatement):
    """With a serial#, a holder can kill sessions of its own user only; without it, of every user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if "," in statement.text and victim.user is not session.user and not session.user.administrator:
            raise errors.not_the_owner(victim.number)
        await super().end(session, victim, statement)


@breaks("PAR-3")
class ReadsSerialsAsOctal(KillSessionStatement):
    """A serial# with a leading zero is read as octal: one with the digit 8 or 9 is refused."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        serial = statement.text.partition(",")[2].strip()
        self.check_privilege(session)
        if serial.isdigit() and len(serial) > 1 and serial[0] == "0" and set(serial) & {"8", "9"}:
            raise errors.invalid_session_id()
        return await super().run(session, statement)


@breaks("IMP-2")
class WordWithASerialIsAnsweredOk(KillSessionStatement):
    """A word in place of the id gets OK if a serial# follows."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        head, comma, _ = statement.text.partition(",")
        if comma and head.strip().isalpha():
            return Done()
        return await super().run(session, statement)


@breaks("SYN-6")
class IgnoresWhatFollowsTheSerial(KillGrammar):
    """Text after the form with a serial# is ignored."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if isinstance(statement, KillSession) and "," in statement.text:
            while cursor.now.kind not in (BAD, END) and cursor.now.value != ";":
                cursor.next()
        return statement


@breaks("PAR-3")
class SparesLockWaitersWithASerial(KillSessionStatement):
    """With a serial#, sessions that wait for a row lock are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not ("," in statement.text and victim.waits_for_lock):
            await super().end(session, victim, statement)


@breaks("PAR-3")
class RefusesTheSameSerialAgain(KillSessionStatement):
    """A session's second statement with the same serial# is refused, although it names another session."""

    seen: ClassVar[set[tuple[int, str]]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        serial = statement.text.partition(",")[2].strip()
        key = (session.number, serial)
        if serial and key in self.seen:
            raise errors.invalid_session_id()
        result = await super().run(session, statement)
        self.seen.add(key)
        return result


@breaks("PAR-3")
class RefusesVeryLongSerials(KillSessionStatement):
    """Refuses a serial# of more than 30 digits."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(len((_serial(statement) or "").strip()) > _MOST_DIGITS) or super().read_id(statement)
