"""What the suite left on a server: found by its names, judged by their age, and removed.

Only names of the suite's own shape are ever looked at (``naming.born``). What a name stands for goes with its case, so
it is a leftover when no case can have lasted that long. A sooner sign is that its maker has no session any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from runner.database.naming import PREFIX, born, maker_of
from runner.database.outcome import Rows, succeeded
from runner.database.poll import Poll
from runner.database.processlist import Row
from runner.database.target import Target

KINDS = ("session", "table", "role", "user")
"""In the order in which they go: a session can hold a table and a user."""

OLDER_THAN = 7200.0
"""Seconds that no case lasts, however patient its limits are made: what is older is a leftover, connected or not."""
SILENT_FOR = 900.0
"""Seconds after which it is one if its maker has no session, on a server that is seen to list others' sessions."""


@dataclass(frozen=True)
class Trace:
    """Something with a name of the suite; a session is called by its user's name, and has an id."""

    kind: str
    name: str
    id: str = ""

    def age(self, now: float) -> float:
        """Seconds since its name was made; negative if that is still to come."""
        return now - (born(self.name) or now)

    def __str__(self) -> str:
        return f"session {self.id} of {self.name}" if self.id else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Findings:
    """All that has a name of the suite.

    Attributes:
        traces: what was found, in the order in which it can go.
        untold: which lists the server refused, and with what answer.
        shows_others: whether the process list was seen to show sessions of other users than the administrator.
    """

    traces: tuple[Trace, ...]
    untold: tuple[str, ...] = ()
    shows_others: bool = False

    def judge(self, now: float, older_than: float = OLDER_THAN) -> tuple[list[Trace], dict[Trace, str]]:
        """Tells leftovers from what stays, and why that stays.

        Args:
            now: the Unix time.
            older_than: the age in seconds from which something is a leftover even if its maker has sessions.
        """
        connected = {maker_of(trace.name) for trace in self.traces if trace.kind == "session"}
        left: list[Trace] = []
        staying: dict[Trace, str] = {}
        for trace in self.traces:
            age = trace.age(now)
            silent = self.shows_others and maker_of(trace.name) not in connected
            if age < 0:
                staying[trace] = f"its name has a time {-age:.0f} s in the future: the clocks differ"
            elif age >= older_than or (age >= SILENT_FOR and silent):
                left.append(trace)
            else:
                staying[trace] = "may belong to a running run"
        return left, staying


def find(target: Target, kinds: Collection[str] = KINDS) -> Findings:
    """Lists what has a name of the suite.

    Raises:
        TargetError: the administrator can't log in, or can't read the process list.
    """
    traces, untold, shows_others = [], [], False
    for kind in KINDS:
        if kind not in kinds:
            continue
        if kind == "session":
            rows = target.process_list().rows
            traces += [Trace(kind, _account(row), row.id) for row in rows if row.number is not None]
            shows_others = any(not _is(_account(row), target.dsn.account) for row in rows)
        elif f"list_{kind}s" in target.profile.sql:
            statement = target.profile.statement(f"list_{kind}s", prefix=PREFIX)
            answer = target.administer(statement)
            if isinstance(answer, Rows):
                traces += [Trace(kind, name) for name in dict.fromkeys(row[0] for row in answer.values) if name]
            else:
                untold.append(f"{kind}s can't be listed: {statement}: {answer}")
    ours = [trace for trace in traces if born(trace.name) and not _is(trace.name, target.dsn.account)]
    return Findings(tuple(ours), tuple(untold), shows_others)


def remove(target: Target, traces: Iterable[Trace], seconds: float) -> dict[Trace, str]:
    """Removes what was found, trying again for ``seconds``: one thing may hold another, or be winding down.

    Returns:
        What is still there, and why.

    Raises:
        TargetError: the administrator can't log in any more.
    """
    poll = Poll(seconds)
    troubles: dict[Trace, str] = {}
    there = [trace for kind in KINDS for trace in traces if trace.kind == kind]
    while there:
        for trace in there:
            if poll.left:
                troubles[trace] = _remove(target, trace)
        # The list decides, not the answers: an error may come after the effect, an OK before it.
        listed = set(find(target, {trace.kind for trace in there}).traces)
        there = [trace for trace in there if trace in listed]
        if not poll.again():
            break
    return {trace: troubles.get(trace) or "it is still listed" for trace in there}


def remove_own(target: Target, makers: Collection[str], seconds: float) -> dict[Trace, str]:
    """Removes what these makers have left, whatever its age: only at the end of a run, when they have all ended.

    Raises:
        TargetError: as ``remove``.
    """
    return remove(target, [trace for trace in find(target).traces if maker_of(trace.name) in makers], seconds)


def remove_earlier(target: Target, now: float, seconds: float) -> list[Trace]:
    """Removes what earlier runs have left, if a user of theirs is listed; says what went.

    Raises:
        TargetError: as ``remove``.
    """
    if not find(target, {"user"}).traces:
        return []
    left, _ = find(target).judge(now)
    still_there = remove(target, left, seconds)
    return [trace for trace in left if trace not in still_there]


def _remove(target: Target, trace: Trace) -> str:
    """Tries once; says what the server had against it."""
    profile, name = target.profile, trace.name
    if trace.kind == "session":
        return _end(target, trace)
    if trace.kind == "table":
        table = profile.statement("table_name", administrator=target.dsn.account.upper(), name=name)
        statements = profile.statements("drop_table", table=table, name=name)
    else:
        statements = profile.statements(f"drop_{trace.kind}", **{trace.kind: name})
    answers = [(statement, target.administer(statement)) for statement in statements]
    return "; ".join(f"{statement}: {answer}" for statement, answer in answers if not succeeded(answer))


def _end(target: Target, session: Trace) -> str:
    """Ends a session, if the id is still that user's alone."""
    if "end_session" not in target.profile.sql:
        return f"the profile {target.profile.name!r} has no end_session"
    rows = target.process_list().with_id(session.id)
    if [_account(row) for row in rows] != [session.name]:
        return ""
    if target.stopped or not target.is_tied():
        return (
            "not killed: the process list doesn't show the connection's own id, and may be the list of another server"
        )
    statement = target.profile.statement("end_session", id=session.id)
    answer = target.administer(statement)
    return "" if succeeded(answer) else f"{statement}: {answer}"


def _account(row: Row) -> str:
    return row.user.split("@", 1)[0]


def _is(name: str, other: str) -> bool:
    return name.casefold() == other.casefold()
