"""Classifies a reply: as claimed, another result, a kind of error, a lost connection, or none."""

from __future__ import annotations

import enum

from runner.database.outcome import LoginAborted, Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable
from runner.database.profile import Profile
from runner.database.unrelated_errors import ErrorKind, error_kind_of

_UNSUPPORTED_CLASSES = {"syntax", "unknown-name"}
"""The error classes for statements and names that the server does not know."""
_INTERRUPTED_CLASS = "interrupted"


class ReplyClass(enum.Enum):
    """The classes of replies."""

    FITS = "as claimed"
    OTHER_RESULT = "another result: OK or rows in place of the claim"
    UNSUPPORTED = "an error: the server does not know the statement, or an object in it"
    SHORTAGE = "an error: the server is out of memory, disk space or connections, or is read-only"
    RULES = "an error: the server's rules reject a password or its age, a long name, a connection (TLS, host) or a text"
    CONFLICT = "an error: a conflict with a lock, another transaction, a read-only transaction or a shutdown"
    INTERRUPTED = "an error: the statement or its session was interrupted from outside"
    OTHER_ERROR = "another error"
    LOST = "the connection is lost"
    NO_REPLY = "no reply within the time limit"
    UNREADABLE = "bytes that are not a reply of this protocol, or a login that the client gives up"


def reply_class(reply: Outcome, profile: Profile, *, fits: bool) -> ReplyClass:
    """The class of a reply; ``fits``: whether it fits the claim."""
    if fits:
        return ReplyClass.FITS
    match reply:
        case Ok() | Rows():
            return ReplyClass.OTHER_RESULT
        case ServerError() as error:
            return _error_class(error, profile)
        case Lost(refused=turned_away):
            return ReplyClass.SHORTAGE if turned_away else ReplyClass.LOST
        case NoReply():
            return ReplyClass.NO_REPLY
        case Unreadable() | LoginAborted():
            return ReplyClass.UNREADABLE


def _error_class(error: ServerError, profile: Profile) -> ReplyClass:
    classes = profile.classes_of(error)
    if _INTERRUPTED_CLASS in classes:
        return ReplyClass.INTERRUPTED
    if profile.is_transient(error):
        return ReplyClass.SHORTAGE
    if classes and _UNSUPPORTED_CLASSES.isdisjoint(classes):
        return ReplyClass.OTHER_ERROR  # the profile is more specific than the protocol
    return {
        ErrorKind.UNSUPPORTED: ReplyClass.UNSUPPORTED,
        ErrorKind.SHORTAGE: ReplyClass.SHORTAGE,
        ErrorKind.RULES: ReplyClass.RULES,
        ErrorKind.CONFLICT: ReplyClass.CONFLICT,
        ErrorKind.OTHER: ReplyClass.UNSUPPORTED if classes else ReplyClass.OTHER_ERROR,
    }[error_kind_of(error)]
