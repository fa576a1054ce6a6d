"""The suite's leftovers on a server: found by their names, judged by their age, and removed; sessions are killed.

Only names of the suite's shape are considered (``naming.created_at``). An object is removed with its case, so it is a
leftover if no case can have lasted that long, or if the run that created it has no session any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from runner.database.naming import PREFIX, created_at, run_mark_of
from runner.database.outcome import Rows, succeeded
from runner.database.process_list import Row
from runner.database.target import Target
from runner.database.time_limits import Poll

KINDS = ("session", "table", "role", "user")
"""In the order of removal: a session can prevent the removal of a table, and of its user."""

OLDER_THAN = 7200.0
"""Age in seconds from which an object is a leftover even if its run has sessions: no case lasts as long."""
SILENT_FOR = 900.0
"""Age in seconds from which an object whose run has no session is a leftover, if other users' sessions are listed."""


@dataclass(frozen=True)
class SuiteObject:
    """A user, role, table or session with a name of the suite. A session has its user's name, and an id."""

    kind: str
    name: str
    id: str = ""

    def age(self, now: float) -> float:
        """Seconds since the time in its name; negative if that is in the future."""
        return now - (created_at(self.name) or now)

    def __str__(self) -> str:
        return f"session {self.id} of {self.name}" if self.id else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class SuiteObjects:
    """The objects with a name of the suite.

    Attributes:
        objects: the objects, in the order in which they can be removed.
        unlisted: the kinds that can't be listed, each with the statement and the server's reply.
        shows_others: whether the process list was seen to show sessions of other users than the administrator.
    """

    objects: tuple[SuiteObject, ...]
    unlisted: tuple[str, ...] = ()
    shows_others: bool = False

    def leftovers(self, now: float, older_than: float = OLDER_THAN) -> tuple[list[SuiteObject], dict[SuiteObject, str]]:
        """The leftovers, and the other objects with the reason to keep them.

        Args:
            now: the Unix time.
            older_than: the age in seconds from which an object is a leftover even if its run has sessions.
        """
        connected = {run_mark_of(each.name) for each in self.objects if each.kind == "session"}
        left: list[SuiteObject] = []
        staying: dict[SuiteObject, str] = {}
        for each in self.objects:
            age = each.age(now)
            silent = self.shows_others and run_mark_of(each.name) not in connected
            if age < 0:
                staying[each] = f"its name has a time {-age:.0f} s in the future: the clocks differ"
            elif age >= older_than or (age >= SILENT_FOR and silent):
                left.append(each)
            else:
                staying[each] = "may belong to a run in progress"
        return left, staying


def find_suite_objects(target: Target, kinds: Collection[str] = KINDS) -> SuiteObjects:
    """Lists what has a name of the suite.

    Raises:
        TargetError: the administrator can't log in, or can't read the process list.
    """
    objects, unlisted, shows_others = [], [], False
    for kind in KINDS:
        if kind not in kinds:
            continue
        if kind == "session":
            shown = target.process_list()
            rows = shown.rows
            objects += [SuiteObject(kind, _account(row), row.id) for row in rows if row.number is not None]
            shows_others = len(list(shown.of_user(target.dsn.account))) < len(rows)
        elif f"list_{kind}s" in target.profile.sql:
            statement = target.profile.statement(f"list_{kind}s", prefix=PREFIX)
            reply = target.administer(statement)
            if isinstance(reply, Rows):
                objects += [SuiteObject(kind, name) for name in dict.fromkeys(row[0] for row in reply.values) if name]
            else:
                unlisted.append(f"{kind}s can't be listed: {statement}: {reply}")
    ours = [each for each in objects if created_at(each.name) and not _is(each.name, target.dsn.account)]
    return SuiteObjects(tuple(ours), tuple(unlisted), shows_others)


def remove(target: Target, objects: Iterable[SuiteObject], seconds: float) -> dict[SuiteObject, str]:
    """Removes objects, with retries for ``seconds``: one may still be in use by another, or its removal take time.

    Returns:
        What is still there, and why.

    Raises:
        TargetError: the administrator can't log in any more.
    """
    poll = Poll(seconds)
    troubles: dict[SuiteObject, str] = {}
    there = [each for kind in KINDS for each in objects if each.kind == kind]
    while there:
        for each in there:
            if poll.left:
                troubles[each] = _remove(target, each)
        # The list decides, not the replies: an error may follow the effect, and an OK precede it.
        listed = set(find_suite_objects(target, {each.kind for each in there}).objects)
        there = [each for each in there if each in listed]
        if not poll.again():
            break
    return {each: troubles.get(each) or "it is still listed" for each in there}


def remove_own(target: Target, run_marks: Collection[str], seconds: float) -> dict[SuiteObject, str]:
    """Removes all objects with these run marks. Call it only when the processes that created them have ended.

    Raises:
        TargetError: as ``remove``.
    """
    own = [each for each in find_suite_objects(target).objects if run_mark_of(each.name) in run_marks]
    return remove(target, own, seconds)


def remove_earlier(target: Target, now: float, seconds: float) -> list[SuiteObject]:
    """Removes the leftovers of earlier runs, if one of their users is listed; returns what was removed.

    Raises:
        TargetError: as ``remove``.
    """
    if not find_suite_objects(target, {"user"}).objects:
        return []
    left, _ = find_suite_objects(target).leftovers(now)
    still_there = remove(target, left, seconds)
    return [each for each in left if each not in still_there]


def _remove(target: Target, each: SuiteObject) -> str:
    """Tries once; returns the server's errors."""
    profile, name = target.profile, each.name
    if each.kind == "session":
        return _end(target, each)
    if each.kind == "table":
        table = profile.statement("table_name", administrator=target.dsn.schema, name=name)
        statements = profile.statements("drop_table", table=table, name=name)
    else:
        statements = profile.statements(f"drop_{each.kind}", **{each.kind: name})
    replies = [(statement, target.administer(statement)) for statement in statements]
    return "; ".join(f"{statement}: {reply}" for statement, reply in replies if not succeeded(reply))


def _end(target: Target, session: SuiteObject) -> str:
    """Kills a session if the process list has one row with its id, and that is of the same user."""
    if "end_session" not in target.profile.sql:
        return f"the profile {target.profile.name!r} has no end_session"
    rows = target.process_list().with_id(session.id)
    if [_account(row) for row in rows] != [session.name]:
        return ""
    if target.stop_reason or not target.lists_own_thread_id():
        return (
            "not killed: the process list doesn't show the connection's own id, and may be the list of another server"
        )
    statement = target.profile.statement("end_session", id=session.id)
    reply = target.administer(statement)
    return "" if succeeded(reply) else f"{statement}: {reply}"


def _account(row: Row) -> str:
    return row.user.split("@", 1)[0]


def _is(name: str, other: str) -> bool:
    return name.casefold() == other.casefold()
