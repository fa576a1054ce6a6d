"""How what is done on the wire can end: whatever PyMySQL raises, as an Outcome."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pymysql
from pymysql.constants import CR

from runner.database.connection import BinaryRowsError, LoginError
from runner.database.dsnoptions import DsnError
from runner.database.line import TooLargeError
from runner.database.outcome import GivenUp, Lost, NoReply, Outcome, ServerError, Unreadable

_LONGEST_MESSAGE = 65536  # characters that are kept of an error's text


def outcome_of(  # noqa: PLR0911 - a way out for each way in which it can end
    work: Callable[[], Outcome], limit: float
) -> Outcome:
    """Runs something on the wire, which gives up after ``limit`` seconds; every end that it can have is an Outcome."""
    try:
        return work()
    except pymysql.MySQLError as error:
        if isinstance(error.__context__ or getattr(error, "original_exception", None), TimeoutError):
            return NoReply(limit)
        return _from_pymysql(error)
    except TimeoutError:
        return NoReply(limit)
    except (LoginError, DsnError) as error:
        return GivenUp(str(error))
    except OSError as error:
        return Lost(error.strerror or str(error))
    except Exception as error:  # noqa: BLE001 - PyMySQL answers garbage with whatever its parser stumbles over
        return Unreadable(str(error) if isinstance(error, TooLargeError | BinaryRowsError) else type(error).__name__)


def _from_pymysql(error: pymysql.MySQLError) -> Outcome:
    cause: BaseException | None = error.__context__ or getattr(error, "original_exception", None)
    if isinstance(cause, ConnectionResetError | BrokenPipeError | ssl.SSLError):
        return Lost("reset")
    code = error.args[0] if error.args else None
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(error, pymysql.InternalError) and not isinstance(code, int):
        return Unreadable("packets out of order")
    if code == CR.CR_SERVER_LOST and sqlstate is None:
        return Lost("closed")
    client_side = isinstance(error, pymysql.InterfaceError) or code in {2003, 2006, 2013, 2014}
    if not isinstance(code, int) or (client_side and sqlstate is None):
        return Lost(str(error.args[-1]) if error.args and error.args[-1] else "closed")
    text = str(error.args[1])[:_LONGEST_MESSAGE] if len(error.args) > 1 else ""
    return ServerError(code & 0xFFFF, sqlstate or "", text)
