"""Finds the fix for a missing prerequisite: a GRANT only if the server's error is about a privilege."""

from __future__ import annotations

from runner.database.outcome import Outcome, Rows, ServerError
from runner.database.target import Target
from runner.database.target_fixes import TLS_ONLY, wants_tls
from runner.database.unrelated_errors import ErrorKind, error_kind_of

_REFUSED = "login-refused"
_ANONYMOUS = (
    "the server has anonymous users (an empty name in mysql.user), which replace new users at login: "
    "DROP USER ''@HOST for each of them"
)


def fix_for(target: Target, prerequisite: str, outcome: Outcome | None) -> str:
    """The fix for a missing prerequisite; empty if none is known.

    Args:
        target: the server.
        prerequisite: one of ``runner.doctor.case_prerequisites``.
        outcome: the reply that shows that it is missing, if there is one.
    """
    if wants_tls(outcome):
        return f"the server accepts {TLS_ONLY}"
    if isinstance(outcome, ServerError):
        kind = error_kind_of(outcome)
        if kind is ErrorKind.UNSUPPORTED:
            return f"check whether the profile {target.profile.name!r} fits this server (docs/profiles.md)"
        if kind is not ErrorKind.OTHER:
            return f"no GRANT fixes this: {kind.value}"
        if _REFUSED in target.profile.classes_of(outcome) and has_anonymous_users(target):
            return _ANONYMOUS
    fixes = target.profile.fixes
    fix = fixes.get(prerequisite) or fixes.get(prerequisite.partition(" ")[0], "")
    return fix.format(administrator=target.dsn.account_in_statements, name=prerequisite.partition(" ")[2])


def has_anonymous_users(target: Target) -> bool:
    """Whether the list of users contains an empty name, which MySQL and its relatives allow."""
    reply = target.administer(target.profile.statement("list_users", prefix=""))
    return isinstance(reply, Rows) and any(row[0] == "" for row in reply.values)
