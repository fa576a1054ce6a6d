"""Defects of sessions whose client has sent the user's name in small letters at the login."""

from __future__ import annotations

from typing import ClassVar

from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.handshake import Login
from runner.simulator.privilege_checks import Privileges
from runner.simulator.sessions import Session
from runner.simulator.users_and_roles import ALTER_SYSTEM


class _NotesSmallLetters(Connection):
    found: ClassVar[set[Session]] = set()

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        if session.user.name not in login.user:
            self.found.add(session)
        return session


class _SparesThem(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesSmallLetters.found


@breaks("PUR-1")
def spares_who_logged_in_with_small_letters(components: Components) -> Components:
    """Sessions that logged in with the name in small letters are not killed, as if sessions were kept by that name."""
    return components.with_overrides(_NotesSmallLetters, _SparesThem)


class _HaveThePrivilege(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        exempt = privilege == ALTER_SYSTEM and session in _NotesSmallLetters.found
        return exempt or super().holds(session, privilege)


@breaks("PUR-2")
def small_letters_at_login_need_no_privilege(components: Components) -> Components:
    """The privilege is not checked in sessions that logged in with the name in small letters."""
    return components.with_overrides(_NotesSmallLetters, _HaveThePrivilege)


class _LackThePrivilege(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        refused = privilege == ALTER_SYSTEM and session in _NotesSmallLetters.found
        return not refused and super().holds(session, privilege)


@breaks("PUR-2")
def small_letters_at_login_lose_the_privilege(components: Components) -> Components:
    """Sessions that logged in with the name in small letters don't have ALTER SYSTEM."""
    return components.with_overrides(_NotesSmallLetters, _LackThePrivilege)
