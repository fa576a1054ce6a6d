"""The guarded statements that a case has sent: their senders, and the sessions that they have named."""

from __future__ import annotations

from collections.abc import Collection

from runner.database.target import Target
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_session import CaseSession


class GuardedHistory:
    """The guarded statements of one run of a case.

    Attributes:
        any_sent: whether one was sent. Before that, every failure is one of the environment.
        named: the sessions that they have named, without those that have logged in again since.
        named_with_success: those of them whose statement was a success.
        senders: the sessions that have sent them.
        waiting: those of them that have received no reply to the last one.
        refused: those of them whose last one was refused, and that no other session has named since.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.any_sent = False
        self.named: set[str] = set()
        self.named_with_success: set[str] = set()
        self.senders: set[str] = set()
        self.waiting: set[str] = set()
        self.refused: set[str] = set()
        self._not_refused: set[str] = set()
        """The named sessions whose last statement was not refused: it may have reached another server."""
        self._ids_differ = False
        """Whether one was sent on a connection with different ids in handshake and process list."""

    def note_sent(self, sender: CaseSession, named: Collection[CaseSession]) -> None:
        """Notes that a guarded statement is sent now, and names these sessions."""
        self.any_sent = True
        names = {session.name for session in named}
        self.named |= names
        self._not_refused |= names
        self.senders.add(sender.name)
        self.waiting.add(sender.name)
        self.refused.difference_update(session.name for session in named if session is not sender)
        for session in named:
            self._target.facts.note_ended(session.id)  # not earlier than now, if it ends
        self._ids_differ |= sender.id is None or not sender.required_client.handshake_id_is(sender.id)

    def note_reply(self, sender: str) -> None:
        """Notes that a session has received the reply to its guarded statement."""
        self.waiting.discard(sender)

    def note_success(self, sender: str, named: Collection[str]) -> None:
        """Notes that the reply to a guarded statement, which names these sessions, was a success."""
        self.refused.discard(sender)
        self.named_with_success.update(named)

    def note_refusal(self, sender: str, named: Collection[str]) -> None:
        """Notes that a guarded statement, which names these sessions, was refused."""
        self.refused.add(sender)
        self._not_refused.difference_update(named)

    def forget(self, name: str) -> None:
        """Forgets that a session was named: it logs in again."""
        self.refused.discard(name)
        self.named.discard(name)
        self.named_with_success.discard(name)

    def raise_if_ids_differ(self, session: CaseSession) -> None:
        """Raises if a named session is still connected and listed, but its statement may have reached another server.

        If the ids in the handshakes differ from those in the process list, the statement may have reached another
        server, where the id belongs to another client. Then no further guarded statement is sent.

        Raises:
            InconclusiveError: the ids differ.
        """
        if not self._ids_differ or session.name not in self._not_refused:
            return
        self._target.stop_guarded_statements(
            f"a statement that named {session.name} was accepted, and {session.name} is still connected and listed, "
            "behind a proxy whose connections have other ids than the process list: the statement may have reached "
            "another server than the one that shows the list. Use the address of one server in the DSN"
        )
        raise InconclusiveError(self._target.stop_reason)
