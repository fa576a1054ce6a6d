"""The one place that every statement passes that can end a session.

The suite runs on servers that other people use, and a lenient server reads strange things as a session id: it cuts at a
comma, casts ``12abc`` to 12, wraps at 32 bits. So a statement goes out only if every number that could be read in it is
one of this case's own living sessions by a look at the list a moment ago, or is in that list not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runner.database.processlist import ProcessList, Row
from runner.database.target import TargetError
from runner.execution.readings import SIGNED, UNSIGNED, readings
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import InconclusiveError
from runner.language.computing import computed

_HEADROOM = 1000


def check(statement: str, stage: Stage, guarded: str) -> None:
    """Lets a statement pass, or raises; ``guarded`` is the register's word for those that end sessions.

    Raises:
        InconclusiveError: a number in the statement is, or may be, the id of a session that is not this case's own, or
            the server would compute which session it names.
    """
    if (found := computed(statement, guarded)) is not None:
        raise InconclusiveError(f"not sent: with {found!r} in {statement!r}, the server computes whom it ends")
    try:
        shown = stage.target.process_list()
    except TargetError as error:
        raise InconclusiveError(f"not sent: the list can't be read to see whose sessions it names ({error})") from error
    # Only now: a connection that is still there after the look had its id when the look was taken.
    own = {int(actor.id): actor for actor in stage.actors.values() if actor.id is not None and _may_name(actor)}
    unreadable = [row.id for row in shown.rows if row.number is None]
    if unreadable:
        raise InconclusiveError(f"not sent: nobody knows which number the list's {unreadable[0]!r} is taken for")
    complete = stage.shows_others(shown)
    for number in sorted(readings(statement, _widths(own))):
        actor = own.get(number)
        rows = [row for row in shown.rows if row.number == number]
        if rows:
            if actor is None or not _all_its(rows, actor, shown):
                raise InconclusiveError(
                    f"not sent: {statement!r} could be read as naming session {number}, which is somebody else's"
                )
        elif not complete and actor is not None:
            _ask_its_user(number, actor, stage)
        elif not complete and number != 0:
            raise InconclusiveError(
                f"not sent: the administrator's list doesn't show others' sessions, so nobody knows whose {number} is"
            )


def _may_name(actor: Actor) -> bool:
    """Whether an id is still the actor's: nobody else logs in as a user of ours, but others do as the administrator."""
    return not actor.gone and (actor.account.ours or actor.alive)


def _widths(own: Collection[int]) -> list[int]:
    """Bits of the integers that the server may read ids in: it reads our sessions' right, so not too few for one."""
    return [*UNSIGNED, *(width for width in SIGNED if max(own, default=0) < 2**width)]


def _all_its(rows: Collection[Row], actor: Actor, shown: ProcessList) -> bool:
    """Whether all rows with an own id are its user's; of the administrator's sessions, only one can be the actor."""
    same_user = {row.user for row in shown.of_user(actor.account.user)}
    return all(row.user in same_user for row in rows) and (actor.account.ours or len(rows) == 1)


def _ask_its_user(number: int, actor: Actor, stage: Stage) -> None:
    """Checks an own id where the administrator can't: in the list of a session of its user, itself included."""
    session = actor.session
    if session is not None and actor.alive and not session.busy:
        shown: ProcessList | None = stage.target.process_list(session)
    else:
        shown = stage.look(actor, fresh=True)
    if shown is None or not shown.with_id(str(number)):
        raise InconclusiveError(f"not sent: nobody can see that {number} still is {actor.name}")


def unused(start: int, shown: ProcessList, own: Mapping[str, Actor]) -> int:
    """The first number from ``start`` on that no session has, nor will have in a moment: ids usually count upwards."""
    taken = {row.number for row in shown.rows if row.number is not None}
    taken |= {int(actor.id) for actor in own.values() if actor.id is not None}
    number = start
    while near := [other for other in taken if abs(number - other) < _HEADROOM]:
        number = max(near) + _HEADROOM
    return number
