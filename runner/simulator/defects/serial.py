"""Defects around serial#, which is reserved: any number is accepted there, and changes nothing."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.session_id import session_id

if TYPE_CHECKING:
    from typing import Any

    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import KillSession

SIXTEEN_BITS = 0xFFFF
THIRTY_TWO_BITS = 0xFFFFFFFF
MOST_DIGITS = 18


@breaks("SYN-1")
class RefusesTheComma(KillSessionStatement):
    """Takes only an id between the quotes, and refuses id and serial#."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(_serial(statement) is not None) or super().read_id(statement)


@breaks("SYN-1")
class RefusesTheBlank(KillSessionStatement):
    """Takes id and serial# only without a blank behind the comma, as Oracle's clients send it."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(" " in statement.text) or super().read_id(statement)


@breaks("SYN-1")
class IgnoresTheSerialForm(KillSessionStatement):
    """With a serial# the statement is answered OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is None:
            await super().end(session, victim, statement)


@breaks("SYN-1")
class SerialFormEndsWithAnError(KillSessionStatement):
    """With a serial# the session ends, but the answer is an error."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if _serial(statement) is not None:
            raise errors.unexpected()


@breaks("SYN-1")
class SerialFormNeedsTheAdministrator(KillSessionStatement):
    """With a serial# the statement is the administrator's alone."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is not None and not session.user.administrator:
            raise errors.no_privilege()
        await super().end(session, victim, statement)


@breaks("SYN-2")
class DemandsASerial(KillSessionStatement):
    """Refuses an id without a serial#, as Oracle does."""

    def read_id(self, statement: KillSession) -> int:
        return _refused_if(_serial(statement) is None) or super().read_id(statement)


@breaks("SYN-2")
class IgnoresThePlainForm(KillSessionStatement):
    """Without serial# and IMMEDIATE the statement is answered OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is not None or statement.immediate:
            await super().end(session, victim, statement)


@breaks("SYN-2")
class PlainFormEndsWithAnError(KillSessionStatement):
    """Without serial# and IMMEDIATE the session ends, but the answer is an error."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if _serial(statement) is None and not statement.immediate:
            raise errors.unexpected()


@breaks("SYN-9")
class DemandsTheBlank(KillSessionStatement):
    """Refuses id and serial# without a blank behind the comma."""

    def read_id(self, statement: KillSession) -> int:
        serial = _serial(statement)
        return _refused_if(serial is not None and not serial.startswith(" ")) or super().read_id(statement)


@breaks("SYN-9")
class MissesTheCommaWithoutABlank(KillSessionStatement):
    """Looks for comma and blank, and takes all digits for the id where there is no blank."""

    def read_id(self, statement: KillSession) -> int:
        return session_id(statement.text.partition(", ")[0].replace(",", ""))


@breaks("PAR-3")
class TakesTheSerialForTheId(KillSessionStatement):
    """Where there is a serial#, the session with this id ends."""

    def read_id(self, statement: KillSession) -> int:
        return session_id((_serial(statement) or statement.text).strip())


@breaks("PAR-3")
class PrefersALivingSerial(KillSessionStatement):
    """Where serial# is the id of a session, that one ends instead."""

    def read_id(self, statement: KillSession) -> int:
        serial = session_id((_serial(statement) or "").strip())
        return serial if self.registry.find(serial) else super().read_id(statement)


@breaks("PAR-3")
class FallsBackOnTheSerial(KillSessionStatement):
    """Where no session has the id, the one whose id is the serial# ends."""

    def read_id(self, statement: KillSession) -> int:
        number = super().read_id(statement)
        serial = session_id((_serial(statement) or "").strip())
        return serial if self.registry.find(number) is None and self.registry.find(serial) else number


@breaks("PAR-3")
class EndsTheSerialToo(KillSessionStatement):
    """Where serial# is the id of a session, that one ends as well."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        other = self.registry.find(session_id((_serial(statement) or "").strip()))
        if other is not None and other is not session:
            self.ending.kill(other)


@breaks("PAR-3")
class ComparesTheSerial(KillSessionStatement):
    """Refuses a serial# that is not the session's own, which here is always 1."""

    def read_id(self, statement: KillSession) -> int:
        serial = _serial(statement)
        return _refused_if(serial is not None and session_id(serial) != 1) or super().read_id(statement)


@breaks("PAR-3")
class DemandsTheSerialTwiceAlike(KillSessionStatement):
    """The first serial# that a session says is the only one it may say from then on."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.said: dict[int, str] = {}

    async def run(self, session: Session, statement: KillSession) -> Result:
        serial = _serial(statement)
        _refused_if(serial is not None and self.said.setdefault(session.number, serial) != serial)
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
        return _refused_if(len((_serial(statement) or "").strip()) > MOST_DIGITS) or super().read_id(statement)


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
    """With 0 as serial# the statement is answered OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _serial(statement) is None or _value(statement) != 0:
            await super().end(session, victim, statement)


def _serial(statement: KillSession) -> str | None:
    """What stands behind the comma."""
    _, comma, serial = statement.text.partition(",")
    return serial if comma else None


def _value(statement: KillSession) -> int:
    serial = (_serial(statement) or "").strip()
    return int(serial) if serial.isascii() and serial.isdigit() else 0


def _refused_if(wrong: bool) -> int:
    """Refuses, or is nothing."""
    if wrong:
        raise errors.invalid_session_id()
    return 0
