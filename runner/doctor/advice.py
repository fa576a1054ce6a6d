"""What mends a lack, by the server's answer: a GRANT only where a privilege is what is missing."""

from __future__ import annotations

from runner.database.errorkinds import ErrorKind, kind_of
from runner.database.outcome import Outcome, Rows, ServerError
from runner.database.target import TLS_ONLY, Target, wants_tls

_REFUSED = "login-refused"
_ANONYMOUS = (
    "the server has anonymous users (an empty name in mysql.user), which take the place of new users at their login: "
    "DROP USER ''@HOST for each of them"
)


def advice(target: Target, need: str, outcome: Outcome | None) -> str:
    """What to do about a need of the cases; an empty text where nothing is known.

    Args:
        target: the server.
        need: one of ``runner.doctor.needs``.
        outcome: the answer that shows the lack, if an answer does.
    """
    if wants_tls(outcome):
        return f"the server takes {TLS_ONLY}"
    if isinstance(outcome, ServerError):
        kind = kind_of(outcome)
        if kind is ErrorKind.UNSUPPORTED:
            return f"does the profile {target.profile.name!r} fit this server? docs/profiles.md tells how to write one"
        if kind is not ErrorKind.OTHER:
            return f"it is no privilege that is missing: {kind.value}"
        if _REFUSED in target.profile.classes_of(outcome) and has_anonymous_users(target):
            return _ANONYMOUS
    mends = target.profile.mends
    mend = mends.get(need) or mends.get(need.partition(" ")[0], "")
    return mend.format(administrator=target.dsn.account, name=need.partition(" ")[2])


def has_anonymous_users(target: Target) -> bool:
    """Whether the list of users has an empty name, as MySQL's family allows."""
    answer = target.administer(target.profile.statement("list_users", prefix=""))
    return isinstance(answer, Rows) and any(row[0] == "" for row in answer.values)
