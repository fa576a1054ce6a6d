"""Whether the process list that was read is that of the server which will run a session's statement.

Behind a load balancer each connection may lead to another server, and a proxy that splits reads from writes reads the
list on one server and runs the statement on another. Ids repeat there: the number that the list shows for a session of
the suite is somebody else's on the other server. Two lists tell: the administrator's, and the one that is read on the
very connection that will send the statement.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runner.database.processlist import ProcessList, Row
from runner.database.target import TargetError
from runner.execution.identity import OwnList, own_list
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import InconclusiveError

_LISTS = 2  # read on a connection that may lead to several servers


@dataclass(frozen=True)
class Look:
    """What the process list shows a moment before a statement is sent.

    Attributes:
        control: the list as the administrator's session sees it.
        complete: whether that list shows all users' sessions.
        own: the lists read on the connection that will send the statement; none where that is closed already, or where
            the administrator's list shows that very connection.
    """

    control: ProcessList
    complete: bool
    own: tuple[OwnList, ...] = ()

    @property
    def lists(self) -> list[ProcessList]:
        """All of them."""
        return [self.control, *(own.shown for own in self.own)]


def sender_elsewhere(sender: Actor, look: Look, stage: Stage) -> str | None:
    """Whether a list that was read is another server's than the one that runs the sender's statements."""
    if not look.own:
        return None  # its connection is closed, or its row in the administrator's list is known to be its own
    if sender.id is None:
        # A later look at the list doesn't tell it either.
        raise InconclusiveError(f"not sent: the id of {sender.name}, the sender, is unknown: {sender.unidentified}")
    for own in look.own:
        if own.own and sender.id not in own.own:
            return _stop(sender, own.own, stage)
        shown = look.control if look.complete or sender.account.administrator else own.shown
        rows, own_rows = _rows_of(sender, shown), _rows_of(sender, own.shown)
        if not rows:
            return (
                f"the process list doesn't show {sender.name}, the sender of the statement (id {sender.id}, user "
                f"{sender.account.user}): it may be the list of another server, as behind a load balancer"
            )
        if (doubt := _differ(sender, rows, own_rows)) is not None:
            return doubt
    return None


def target_elsewhere(sender: Actor, look: Look, stage: Stage, named: Collection[str]) -> str | None:
    """Whether a session that is named, and that nothing should have ended yet, is missing from a list."""
    for target in (stage.actors[name] for name in sorted(named)):
        if target is sender or target.id is None or target.name in stage.targeted or not target.alive:
            continue
        rows = _rows_of(target, look.control)
        if not rows and (look.complete or target.account.administrator):
            return f"the process list doesn't show {target.name} (id {target.id}, user {target.account.user})"
        for own in look.own:
            own_rows = _rows_of(target, own.shown)
            if not own_rows and (target.account is sender.account or sender.account.administrator):
                return (
                    f"the process list read by {sender.name} doesn't show {target.name} (id {target.id}, user "
                    f"{target.account.user}): they may be connected to different servers"
                )
            if (doubt := _differ(target, rows, own_rows)) is not None:
                return doubt
            if not rows and not own_rows and not (is_direct(sender, own.shown) and is_direct(target, None)):
                return (
                    f"neither the administrator's nor {sender.name}'s process list shows {target.name}, and the "
                    "connections may lead to different servers: grant the administrator the right to see all sessions"
                )
    return None


def refuse_moved(actor: Actor, stage: Stage) -> None:
    """A session whose row is gone replies still: is its connection served by another session of the server now?

    Then a proxy did that, which has kept the client's connection, and the server may well have ended the session.

    Raises:
        InconclusiveError: it is; no further statement is sent either.
    """
    for _ in range(_LISTS):
        try:
            read = own_list(stage.target, actor.online)
        except TargetError:
            return
        others = {mate.id for mate in stage.mates(actor)}
        now = read.own or {row.id for row in read.shown.of_user(actor.account.user) if actor.account.ours} - others
        if now and actor.id not in now:
            raise InconclusiveError(_stop(actor, now, stage))


def _stop(actor: Actor, now: Collection[str], stage: Stage) -> str:
    stage.target.stopped = (
        f"the process list showed {actor.name} with the id {actor.id} and now shows the id "
        f"{', '.join(sorted(now))}: a proxy may share server sessions among connections, or read the list "
        "from another server. Use the address of one server, or of a proxy without connection sharing, in the DSN"
    )
    return stage.target.stopped


def read_own(sender: Actor, stage: Stage, control: ProcessList, *, complete: bool) -> tuple[OwnList, ...]:
    """The lists on the connection of a sender that is connected and idle.

    Where the administrator's list shows the sender's very connection, its server is known, and nothing need be sent on
    it: what a statement does right after a COMMIT, or after an error, is looked at as well. Behind a proxy that sends
    statements to its servers in turn, two lists are those of two servers.

    Raises:
        TargetError: the session gets no list.
    """
    if complete and is_direct(sender, control):
        return ()
    tied = sender.id is not None and sender.online.greeted_as(sender.id)
    return tuple(own_list(stage.target, sender.online) for _ in range(1 if tied else _LISTS))


def other_server(asker: Actor, answer: ProcessList, listed: Collection[Actor]) -> str | None:
    """Why a list that lacks a session's row may be another server's than that session's; None if it can't be.

    Args:
        asker: the session that read the list.
        answer: the list.
        listed: the sessions that it has to show.
    """
    missing = [actor for actor in listed if not _rows_of(actor, answer)]
    seen = None if asker in missing else answer
    if not missing or (is_direct(asker, seen) and all(is_direct(actor, None) for actor in missing)):
        return None
    names = " and ".join(actor.name for actor in missing)
    return f"the process list read by {asker.name} doesn't show {names}: they may be connected to different servers"


def _rows_of(actor: Actor, shown: ProcessList) -> list[Row]:
    return [row for row in shown.of_user(actor.account.user) if row.id == actor.id]


def _differ(actor: Actor, rows: Collection[Row], others: Collection[Row]) -> str | None:
    """Whether two lists show different sessions under an actor's id, by the client's end of the connection."""
    hosts, other_hosts = {row.get("host") for row in rows}, {row.get("host") for row in others}
    if not hosts or not other_hosts or hosts & other_hosts:
        return None
    return f"two process lists show different connections with the id {actor.id} of {actor.name}: two servers"


def is_direct(actor: Actor, shown: ProcessList | None) -> bool:
    """Whether a session's connection leads to the server itself, by its thread id and, if given, its row's HOST."""
    session = actor.session
    if session is None or actor.id is None or not session.greeted_as(actor.id):
        return False
    return shown is None or any(row.get("host") == session.local_address for row in _rows_of(actor, shown))
