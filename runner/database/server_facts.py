"""Facts that a process has observed of the server (not its version): speed, limits, ids. Its threads share them."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field

from runner.database.late_replies import LateReplies
from runner.database.session import SessionReferences
from runner.database.time_limits import AdaptiveLimit

_AT_ONCE = 0.5  # seconds
_FORGOTTEN_AFTER = 60.0  # seconds after the end of a session: no case notes it again


@dataclass
class ServerFacts:
    """The facts about a server. The threads of a process share them, without a lock.

    Attributes:
        shows_client_addresses: whether HOST in the process list shows the addresses of clients, as far as known.
        sees_others: whether the administrator's list was seen to show other users' sessions.
        stop_reason: why no further guarded statement is sent to it; empty while they are sent.
        probe: the first of the profile's ``probe`` statements that the server supports; None before it was found.
        slowest: the seconds of the administrator's slowest reply.
        login_seconds: the duration of a login in seconds, as measured last; infinite before the first.
        spelled: the profile's text for each word that was used, of several texts the first that the server accepts.
        listing_limit: how long a session that has logged in takes to be listed.
        unlisted_thread_ids: the thread ids of sessions that no process list showed.
        rows_of_lists_without_reader: the numbers of rows of the process lists that these sessions read.
        sessions_without_id: how many sessions in a row had no id in the process list that could be told to be theirs.
        administrators: this process's sessions as the administrator.
        reuses_ids_at_once: whether a new session got the id of a session that had ended less than half a second before.
        full_server_waits: how often in a row a login was refused until the end of a wait, because the server was full.
        refused_new_users: how many new users in a row could not log in, however often it was tried.
        unknown_new_tables: how many new tables in a row were unknown until the end of a wait.
        grant_delay: the seconds until a GRANT or REVOKE has an effect; 0 if it has one at once, or that is not known.
        loses_logins: whether connections were lost during logins that no statement under test can have affected.
        passing_errors: errors (``ServerError.signature``) that a case got, but not when it was run slowly: the server
            limits how fast statements may follow one another.
        late_replies: the guarded statements that had no reply within their limit.
        cut_off: whether the run ends now, so that cases have to end as soon as they can.
    """

    shows_client_addresses: bool
    sees_others: bool = False
    stop_reason: str = ""
    probe: str | None = None
    slowest: float = 0.0
    login_seconds: float = math.inf
    spelled: dict[str, str] = field(default_factory=dict)
    listing_limit: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    unlisted_thread_ids: list[int | None] = field(default_factory=list)
    rows_of_lists_without_reader: set[int] = field(default_factory=set)
    sessions_without_id: int = 0
    administrators: SessionReferences = field(default_factory=SessionReferences)
    reuses_ids_at_once: bool = False
    full_server_waits: int = 0
    refused_new_users: int = 0
    unknown_new_tables: int = 0
    grant_delay: float = 0.0
    loses_logins: bool = False
    passing_errors: set[str] = field(default_factory=set)
    late_replies: LateReplies = field(default_factory=LateReplies)
    _ended: dict[str, float] = field(default_factory=dict)
    """The times at which sessions ended, by their ids."""
    cut_off: threading.Event = field(default_factory=threading.Event)

    def note_ended(self, session_id: str | None) -> None:
        """Notes that the session with this id ends now, or has ended."""
        if session_id is None:
            return
        now = time.monotonic()
        self._ended.setdefault(session_id, now)
        for oldest in list(self._ended)[:2]:  # more than one, so that few stay; a copy, as other threads change it
            if self._ended.get(oldest, now) < now - _FORGOTTEN_AFTER:
                self._ended.pop(oldest, None)

    def note_new_id(self, session_id: str, running_since: float) -> None:
        """Notes the id of a new session.

        Args:
            session_id: the id.
            running_since: the time since when the server is known to run; a server that restarts numbers sessions anew.
        """
        ended = self._ended.pop(session_id, -math.inf)
        self.reuses_ids_at_once |= ended > max(running_since, time.monotonic() - _AT_ONCE)

    def note_wait_for_room(self, *, vain: bool) -> None:
        """Notes a wait for a login on a full server, and whether it was refused until the end."""
        self.full_server_waits = self.full_server_waits + 1 if vain else 0

    def note_new_user(self, *, refused: bool) -> None:
        """Notes whether the login of a new user, which was refused first, was refused until the end."""
        self.refused_new_users = self.refused_new_users + 1 if refused else 0

    def note_new_table(self, *, unknown: bool) -> None:
        """Notes whether a new table, which was unknown first, was unknown until the end of a wait."""
        self.unknown_new_tables = self.unknown_new_tables + 1 if unknown else 0

    def note_login_time(self, seconds: float) -> None:
        """Notes the duration of a login, in seconds."""
        self.login_seconds = seconds

    def note_client_addresses(self, *, listed: bool) -> None:
        """Notes whether HOST in the process list shows the addresses of the clients."""
        self.shows_client_addresses = listed

    def note_others_listed(self) -> None:
        """Notes that the administrator's process list shows other users' sessions."""
        self.sees_others = True
