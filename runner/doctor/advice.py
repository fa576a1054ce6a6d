"""What mends a lack, by the server's answer: a GRANT only where a privilege is what is missing."""

from __future__ import annotations

from runner.database.errorkinds import ErrorKind, kind_of
from runner.database.outcome import Outcome, Rows, ServerError
from runner.database.target import TLS_ONLY, Target, wants_tls

_REFUSED = "login-refused"
_ANONYMOUS = (
    "the server has anonymous users (an empty name in mysql.user), which replace new users at login: "
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
        return f"the server accepts {TLS_ONLY}"
    if isinstance(outcome, ServerError):
        kind = kind_of(outcome)
        if kind is ErrorKind.UNSUPPORTED:
            return f"check whether the profile {target.profile.name!r} fits this server (docs/profiles.md)"
        if kind is not ErrorKind.OTHER:
            return f"no privilege is missing: {kind.value}"
        if _REFUSED in target.profile.classes_of(outcome) and has_anonymous_users(target):
            return _ANONYMOUS
    fixes = target.profile.fixes
    fix = fixes.get(need) or fixes.get(need.partition(" ")[0], "")
    return fix.format(administrator=target.dsn.account, name=need.partition(" ")[2])


def has_anonymous_users(target: Target) -> bool:
    """Whether the list of users has an empty name, as MySQL's family allows."""
    answer = target.administer(target.profile.statement("list_users", prefix=""))
    return isinstance(answer, Rows) and any(row[0] == "" for row in answer.values)
