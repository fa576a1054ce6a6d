"""The one place that every statement passes that can end a session.

The suite runs on servers that other people use, and a lenient server reads strange things as a session id: it cuts at a
comma, casts ``12abc`` to 12, wraps at 32 bits. So a statement goes out only if every number that could be read in it is
one of the suite's own sessions by a look at the list a moment ago, or is in that list not at all.

A list is worth nothing if another server runs the statement than the one that showed it, as behind a load balancer or a
proxy that splits reads from writes. So two lists are read, the administrator's and one on the very connection that will
send the statement, and both have to show the sender's own session, and the session that it names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runner.database.naming import maker_of
from runner.database.poll import Poll
from runner.database.processlist import ProcessList, Row
from runner.database.target import Target, TargetError
from runner.execution.identity import identify
from runner.execution.readings import SIGNED, UNSIGNED, readings
from runner.execution.route import Look, read_own, sender_elsewhere, target_elsewhere
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import InconclusiveError
from runner.language.model import Vocabulary
from runner.language.shape import fault

_HEADROOM = 1000
_LEAVING = 2.0  # seconds in which somebody who is leaving is gone
_HIDDEN = range(0b11 << 30, 1 << 32)
"""Ids that OceanBase gives to connections of proxies, whose rows show the ids of the proxies' clients instead."""
_NOBODYS = 1 << 30  # without this bit such a number is neither a connection's id nor a client's


def check(statement: str, sender: Actor, stage: Stage, named: Collection[str], vocabulary: Vocabulary) -> None:
    """Lets a statement pass, or raises.

    Where ids are small and used again, what looks like one may be that of somebody who is just leaving, and a list may
    lag: then the lists are read again for a while.

    Args:
        statement: what is about to be sent.
        sender: the session that will send it.
        stage: the sessions of the case.
        named: the sessions whose ids the case names in it.
        vocabulary: the register's, which tells the words that may be in it.

    Raises:
        InconclusiveError: a number in the statement is, or may be, the id of a session that is not the suite's own;
            nobody can tell, as the statement has none of the allowed shapes; or the lists that were read don't belong
            to the server that will run it.
    """
    if stage.target.stopped:
        raise InconclusiveError(f"not sent: {stage.target.stopped}")
    if (found := fault(statement, vocabulary, stage.target.profile.spelled_words)) is not None:
        raise InconclusiveError(f"not sent: {statement!r}: {found}")
    poll = Poll(min(_LEAVING, stage.target.limits.settle))
    while (doubt := _doubt(statement, sender, stage, named)) is not None:
        if not poll.again():
            raise InconclusiveError(f"not sent: {doubt}")


def _doubt(statement: str, sender: Actor, stage: Stage, named: Collection[str]) -> str | None:
    """Why a statement must not be sent, by a look at the lists now; None if it may be."""
    try:
        control = stage.target.process_list()
        complete = stage.shows_others(control)
        asks = sender.session is not None and sender.alive and not sender.session.busy
        own = read_own(sender, stage, control, complete=complete) if asks else ()
    except TargetError as error:
        raise InconclusiveError(
            f"not sent: the process list can't be read to check the ids in the statement ({error})"
        ) from error
    look = Look(control, complete, own)
    unreadable = [row.id for shown in look.lists for row in shown.rows if row.number is None]
    if unreadable:
        raise InconclusiveError(f"not sent: the id {unreadable[0]!r} in the process list is not a number")
    return (
        sender_elsewhere(sender, look, stage)
        or target_elsewhere(sender, look, stage, named)
        or _names_foreign(statement, look, stage)
    )


def _names_foreign(statement: str, look: Look, stage: Stage) -> str | None:
    """Whether a statement could be read as naming a session of somebody else."""
    # Only now: a connection that is still there after the look had its id when the look was taken.
    own = {int(actor.id): actor for actor in stage.actors.values() if actor.id is not None and _may_name(actor)}
    for number in sorted(readings(statement, _widths(own))):
        actor = own.get(number)
        listed = False
        for shown in look.lists:
            rows = [row for row in shown.rows if row.number == number]
            listed |= bool(rows)
            maker = stage.target.names.maker
            if rows and not (
                _are_own(rows, actor, shown, maker) or stage.target.is_own(rows) or _looks_itself(rows, stage.target)
            ):
                doubt = f"{statement!r} could be read as naming session {number}, which is not a session of this case"
                if number == 0:  # a thread of the server's own, which doesn't leave
                    raise InconclusiveError(f"not sent: {doubt}")
                return doubt
        if listed or look.complete:
            continue
        if actor is not None:
            _ask_its_user(number, actor, stage)
        elif number != 0:
            return f"the administrator's process list hides other users' sessions: cannot verify who owns id {number}"
    return None


def _may_name(actor: Actor) -> bool:
    """Whether an id is still the actor's: nobody else logs in as a user of ours, but others do as the administrator."""
    return not actor.gone and (actor.account.ours or actor.alive)


def _widths(own: Collection[int]) -> list[int]:
    """Bits of the integers that the server may read ids in: it reads our sessions' right, so not too few for one."""
    return [*UNSIGNED, *(width for width in SIGNED if max(own, default=0) < 2**width)]


def _are_own(rows: Collection[Row], actor: Actor | None, shown: ProcessList, maker: str) -> bool:
    """Whether all rows of an id are the suite's own: the actor's, or of users that this process has made.

    Nobody else knows the passwords of those. They may be sessions of an earlier case that the server still lists.
    """
    if all(maker_of(row.user) == maker for row in rows):
        return True
    if actor is None:
        return False
    same_user = {row.user for row in shown.of_user(actor.account.user)}
    # Of the administrator's sessions, only one can be the actor.
    return all(row.user in same_user for row in rows) and (actor.account.ours or len(rows) == 1)


def _looks_itself(rows: Collection[Row], target: Target) -> bool:
    """Whether an id is that of the session that looks, the suite's own as well: its words in the list tell.

    Where ids are small, ``'00018'`` read in octal is 1, and that may be who prepares the cases.
    """
    found = identify(target, target.control, target.dsn.account, (), ProcessList((), ()))
    return [row.id for row in rows] == [found.id]


def _ask_its_user(number: int, actor: Actor, stage: Stage) -> None:
    """Checks an own id where the administrator can't: in the list of a session of its user, itself included."""
    session = actor.session
    if session is not None and actor.alive and not session.busy:
        shown: ProcessList | None = stage.target.process_list(session)
    else:
        shown = stage.look(actor, fresh=True)
    if shown is None or not shown.with_id(str(number)):
        raise InconclusiveError(f"not sent: can't verify that id {number} still belongs to {actor.name}")


def unused(start: int, shown: ProcessList, own: Mapping[str, Actor]) -> int:
    """The first number from ``start`` on that no session has, nor will have in a moment: ids usually count upwards.

    Nor is it one of the ids that OceanBase's list hides; there, a number of the same size that nobody has is taken.
    """
    taken = {row.number for row in shown.rows if row.number is not None}
    taken |= {int(actor.id) for actor in own.values() if actor.id is not None}
    if start == 0 and 0 not in taken:
        return 0  # no login ever gets it, however small its neighbours are
    # A row whose id has no such bit is that of a proxy's client: it hides the id of a connection to the server.
    hides = any(row.number is not None and row.number < _HIDDEN.start >> 1 for row in shown.rows)
    number = start
    while True:
        if hides and number in _HIDDEN:
            number -= _NOBODYS
        near = [other for other in taken if abs(number - other) < _HEADROOM]
        if not near:
            return number
        number = max(near) + _HEADROOM
