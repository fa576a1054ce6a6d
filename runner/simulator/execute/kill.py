"""ALTER SYSTEM KILL SESSION and the plain KILL, and the conversion of their texts to session ids."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from runner.simulator import errors
from runner.simulator.execute.results import Done, Result
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session, SessionEnding, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.sql.statements import Kill, KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM

# Leading blanks and tabs are ignored, leading line feeds are not; text after the number is ignored.
_NUMBER = re.compile(r"[ \t]*([+-]?)0*([0-9]*)(\.[0-9]*)?(?:[eE]([+-]?[0-9]+))?", re.ASCII)

_LARGEST = 2**63 - 1
_SMALLEST = -(2**63)
_DIGITS = len(str(_LARGEST))
_BITS = 0xFFFFFFFF


def session_id(text: str) -> int:
    """The id in a text; 0, which no session has, if there is none."""
    return _integer(text) & _BITS


def _integer(text: str) -> int:
    match = _NUMBER.match(text)
    if match is None:  # pragma: no cover - the expression also matches the empty text
        return 0
    sign, whole, fraction, exponent = match.groups()
    limit = _SMALLEST if sign == "-" else _LARGEST
    if exponent is None and (fraction is None or fraction == "."):
        magnitude = int(whole or "0") if len(whole) <= _DIGITS else abs(limit)
    else:
        magnitude = _rounded(whole, (fraction or ".")[1:], exponent or "0")
    return max(-magnitude, limit) if sign == "-" else min(magnitude, limit)


def _rounded(whole: str, fraction: str, exponent: str) -> int:
    digits = f"{whole}{fraction}".lstrip("0")
    if not digits:
        return 0
    # Exponents are cut: larger ones give the same result.
    power = int(exponent[:6]) - len(fraction)
    if len(digits) + power > _DIGITS:
        return -_SMALLEST
    if len(digits) + power < 0:
        return 0
    value = Decimal(f"{digits[: _DIGITS + 2]}E{power + max(0, len(digits) - _DIGITS - 2)}")
    return int(value.to_integral_value(ROUND_HALF_UP))


class KillSessionStatement:
    """Executes ALTER SYSTEM KILL SESSION."""

    def __init__(
        self, registry: SessionRegistry, privileges: Privileges, ending: SessionEnding, settings: Settings
    ) -> None:
        self.registry = registry
        self.privileges = privileges
        self.ending = ending
        self.settings = settings

    async def run(self, session: Session, statement: KillSession) -> Result:
        """Kills the session that the statement names.

        The privilege is checked first, so that users without it can't find out which ids exist.
        """
        self.check_privilege(session)
        number = self.read_id(statement)
        victim = self.find(number)
        self.check_owner(session, victim)
        await self.end(session, victim, statement)
        return self.reply()

    def check_privilege(self, session: Session) -> None:
        """Requires ALTER SYSTEM, whatever session the statement names."""
        self.privileges.require(session, ALTER_SYSTEM)

    def read_id(self, statement: KillSession) -> int:
        """The id: the text before the first comma. The serial# after it is ignored."""
        return session_id(statement.text.partition(",")[0])

    def find(self, number: int) -> Session:
        """The session with this id; raises an error if there is none."""
        victim = self.registry.find(number)
        if victim is None:
            raise errors.unknown_session(number)
        return victim

    def check_owner(self, session: Session, victim: Session) -> None:
        """With the setting ``owner_check``, only the administrator can kill sessions of other users."""
        if self.settings.owner_check:
            require_ownership(session, victim)

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:  # noqa: ARG002 - for overrides that use the session or the statement
        """Kills the victim. IMMEDIATE is reserved: it changes nothing."""
        self.ending.kill(victim)

    def reply(self) -> Result:
        """The reply: OK without rows."""
        return Done()


class PlainKill:
    """Executes KILL. It needs no privilege for sessions of the own user."""

    def __init__(self, registry: SessionRegistry, ending: SessionEnding) -> None:
        self.registry = registry
        self.ending = ending

    async def run(self, session: Session, statement: Kill) -> Result:
        """Kills a session, or the statement that it executes."""
        victim = self.find(session_id(statement.text))
        self.check_owner(session, victim)
        if statement.query_only:
            self.interrupt(session, victim)
        else:
            self.end(session, victim, statement)
        return self.reply()

    def find(self, number: int) -> Session:
        """The session with this id; raises an error if there is none."""
        victim = self.registry.find(number)
        if victim is None:
            raise errors.unknown_session(number)
        return victim

    def check_owner(self, session: Session, victim: Session) -> None:
        """The administrator can kill all sessions, other users only those of their own user."""
        require_ownership(session, victim)

    def interrupt(self, session: Session, victim: Session) -> None:  # noqa: ARG002 - for overrides that use the session
        """KILL QUERY: the running statement of the victim fails; without one, nothing happens."""
        victim.interrupt(errors.query_killed())

    def end(self, session: Session, victim: Session, statement: Kill) -> None:  # noqa: ARG002 - for overrides that use them
        """KILL and KILL CONNECTION: kills the victim."""
        self.ending.kill(victim)

    def reply(self) -> Result:
        """The reply: OK without rows."""
        return Done()


def require_ownership(session: Session, victim: Session) -> None:
    """Raises an error if the session's user is neither the administrator nor the victim's user."""
    if victim.user is not session.user and not session.user.administrator:
        raise errors.not_the_owner(victim.number)
