"""Every refusal the server knows, with its code, its SQL state and its words.

Oracle mode numbers its errors as Oracle does where Oracle has a number, and as 600 with the kernel's own code where it
has none. Before login the server speaks in MySQL's numbers and words.
"""

from __future__ import annotations

NEAR_LIMIT = 80
MESSAGE_LIMIT = 512
GENERAL = "HY000"
SYNTAX = "42000"


class SqlError(Exception):
    """A statement, or a login, is refused."""

    def __init__(self, code: int, sqlstate: str, words: str, *, oracle: bool = True) -> None:
        super().__init__(code, sqlstate, words)
        self.code = code
        self.sqlstate = sqlstate
        self.words = words
        self.oracle = oracle

    def message(self, prefix: str) -> str:
        """The words as the client reads them; Oracle's errors begin with a prefix and their number."""
        return f"{prefix}-{self.code:05d}: {self.words}" if self.oracle else self.words


class SessionEndedError(Exception):
    """The session of the running statement has ended; nothing more may be said or done for it."""


def internal(kernel_code: int, words: str, sqlstate: str = GENERAL) -> SqlError:
    """An error of the kernel that has no number in Oracle."""
    return SqlError(600, sqlstate, f"internal error code, arguments: {kernel_code}, {words}")


# Login, in MySQL's numbers and words.


def access_denied(user: str, *, with_password: bool) -> SqlError:
    """Wrong password or no such user: the answer does not tell which."""
    used = "YES" if with_password else "NO"
    words = f"Access denied for user '{user}'@'xxx.xxx.xxx.xxx' (using password: {used})"
    return SqlError(1045, SYNTAX, words, oracle=False)


def no_such_cluster() -> SqlError:
    """ODP knows no cluster of the name that the login has."""
    return SqlError(4669, GENERAL, "cluster not exist", oracle=False)


def no_create_session(user: str) -> SqlError:
    """The password was right, but the user may not log in."""
    return SqlError(1045, GENERAL, f"user {user} lacks CREATE SESSION privilege; logon denied")


def not_an_oracle_client() -> SqlError:
    """The client did not say that it understands Oracle mode."""
    return SqlError(1235, "0A000", "Oracle tenant for current client driver is not supported", oracle=False)


def bad_handshake() -> SqlError:
    """The login packet makes no sense."""
    return SqlError(1043, "08S01", "Bad handshake", oracle=False)


def too_many_connections() -> SqlError:
    """The server is full."""
    return SqlError(1040, "08004", "Too many connections", oracle=False)


def packet_too_large() -> SqlError:
    """The client announced more bytes than the server takes."""
    return SqlError(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes", oracle=False)


def unknown_command() -> SqlError:
    """A command byte that the server does not know."""
    return SqlError(1047, "08S01", "Unknown command", oracle=False)


def unknown_prepared(number: int) -> SqlError:
    """A prepared statement that the session does not have."""
    return SqlError(1243, GENERAL, f"Unknown prepared statement handler ({number}) given to EXECUTE", oracle=False)


def bad_parameters() -> SqlError:
    """The values of a prepared statement's parameters can't be read."""
    return SqlError(1210, GENERAL, "Incorrect arguments to EXECUTE", oracle=False)


def too_many_prepared() -> SqlError:
    """One session wants to keep more prepared text than the server allows."""
    return SqlError(1461, SYNTAX, "Can't create more than max_prepared_stmt_count statements", oracle=False)


def not_preparable() -> SqlError:
    """A statement that cannot be prepared."""
    return SqlError(1295, GENERAL, "This command is not supported in the prepared statement protocol yet", oracle=False)


def unknown_database(name: str) -> SqlError:
    """The schema asked for at login does not exist."""
    return SqlError(1049, SYNTAX, f"Unknown database '{name}'", oracle=False)


# Statements.


def syntax_error(near: str, line: int) -> SqlError:
    """The text is no statement; `near` begins at the first token that does not fit."""
    shown = near.encode("utf-8", "surrogateescape")[:NEAR_LIMIT].decode("utf-8", "surrogateescape").rstrip()
    return SqlError(
        900,
        SYNTAX,
        "You have an error in your SQL syntax; check the manual that corresponds to your OceanBase version "
        f"for the right syntax to use near '{shown}' at line {line}",
    )


def empty_query() -> SqlError:
    """There is no statement in the text."""
    return internal(-5253, "Query was empty", SYNTAX)


def statement_too_long() -> SqlError:
    """More tokens than the server is willing to read."""
    return internal(-4019, "Size overflow: the statement is too long", SYNTAX)


def no_privilege() -> SqlError:
    """A system privilege is missing."""
    return SqlError(1031, GENERAL, "insufficient privileges")


# KILL.


def unknown_session(number: int) -> SqlError:
    """No session has this id."""
    return internal(-4174, f"Unknown thread id: {number}")


def not_the_owner(number: int) -> SqlError:
    """The session belongs to another user."""
    return internal(-5251, f"You are not owner of thread {number}")


def invalid_session_id() -> SqlError:
    """Oracle's word for a text that is not as it should be; OceanBase's kernel does not know it."""
    return SqlError(26, GENERAL, "missing or invalid session ID")


def own_session_killed() -> SqlError:
    """A session behind a proxy has ended itself."""
    return SqlError(4401, GENERAL, "Client Session need be killed")


def session_killed() -> SqlError:
    """What the statement that was running in an ended session is told."""
    return SqlError(1092, GENERAL, "OceanBase instance terminated. Disconnection forced")


def query_timeout() -> SqlError:
    """The statement took longer than the server lets one take."""
    return internal(-4012, "Timeout, query has reached the maximum query timeout")


def query_killed() -> SqlError:
    """What the statement that KILL QUERY stopped is told."""
    return internal(-5065, "Query execution was interrupted", "70100")


# Users, roles, privileges.


def name_taken() -> SqlError:
    """A user or role of this name exists."""
    return SqlError(1920, "42710", "user name conflicts with another user or role name")


def password_rejected(rule: str) -> SqlError:
    """The tenant's PASSWORD_VERIFY_FUNCTION takes another password."""
    return SqlError(28003, GENERAL, f"password verification for the specified password failed\n{rule}")


def role_name_taken(name: str) -> SqlError:
    """A role, or user, of this name exists."""
    return SqlError(1921, GENERAL, f"role name '{name}' conflicts with another user or role name")


def no_such_role(name: str) -> SqlError:
    """No role of this name."""
    return SqlError(1919, GENERAL, f"role '{name}' does not exist")


def no_such_grantee(name: str) -> SqlError:
    """No user or role of this name to grant to."""
    return SqlError(1917, GENERAL, f"user or role '{name}' does not exist")


def no_such_user(name: str) -> SqlError:
    """No user of this name."""
    return SqlError(1918, GENERAL, f"user '{name}' does not exist")


def user_operation_failed(operation: str, name: str) -> SqlError:
    """There is no such user to drop; or another definition is under way."""
    return internal(-5155, f"Operation {operation} failed for '{name}'@'%'")


def drop_needs_cascade() -> SqlError:
    """A user goes together with all it owns, or not at all."""
    return internal(-4007, "drop user without CASCADE not supported", "0A000")


def not_granted(name: str) -> SqlError:
    """There is no such system privilege to revoke."""
    return SqlError(1952, GENERAL, f"system privileges not granted to '{name}'")


def role_not_granted(role: str, name: str) -> SqlError:
    """There is no such role to revoke."""
    return SqlError(1951, GENERAL, f"ROLE '{role}' not granted to '{name}'")


def object_not_granted() -> SqlError:
    """There is no such object privilege to revoke."""
    return SqlError(1927, GENERAL, "cannot REVOKE privileges you did not grant")


def invalid_privilege() -> SqlError:
    """A privilege in a place where it makes no sense."""
    return SqlError(990, GENERAL, "missing or invalid privilege")


# Tables and values.


def no_such_table() -> SqlError:
    """The table does not exist, or the asking user must not know that it does."""
    return SqlError(942, "42S02", "table or view does not exist")


def table_exists() -> SqlError:
    """Another object has this name."""
    return SqlError(955, "42S01", "name is already used by an existing object")


def no_such_schema() -> SqlError:
    """No user of this name, so no schema either."""
    return SqlError(1435, GENERAL, "user does not exist")


def invalid_identifier(name: str) -> SqlError:
    """No column or function of this name."""
    return SqlError(904, "42S22", f"invalid identifier '{name}'")


def undeclared(name: str) -> SqlError:
    """A block calls a procedure that its package does not have."""
    return SqlError(6550, GENERAL, f"line 1, column 1:\nPLS-00302: component '{name}' must be declared")


def package_not_visible(name: str) -> SqlError:
    """A block calls a package that is not there, or that the user may not execute."""
    return SqlError(6550, GENERAL, f"line 1, column 1:\nPLS-00201: identifier '{name}' must be declared")


def no_time_to_sleep() -> SqlError:
    """A procedure that sleeps is called with no time, or less."""
    return SqlError(14312, GENERAL, "the time to sleep has to be above 0")


def invalid_parameter() -> SqlError:
    """USERENV and its kin know no such fact."""
    return SqlError(2003, GENERAL, "invalid USERENV parameter")


def duplicate_column() -> SqlError:
    """One column named twice."""
    return SqlError(957, "42S21", "duplicate column name")


def unique_violated() -> SqlError:
    """Another row has this key."""
    return SqlError(1, "23000", "unique constraint violated")


def null_not_allowed(column: str) -> SqlError:
    """NULL for a column that takes none."""
    return SqlError(1400, "23000", f"cannot insert NULL into '({column})'")


def value_too_large(column: str) -> SqlError:
    """More characters than the column holds."""
    return SqlError(12899, "22001", f"value too large for column {column}")


def literal_too_long() -> SqlError:
    """More characters in a literal than a column could hold."""
    return SqlError(1704, GENERAL, "string literal too long")


def not_a_number() -> SqlError:
    """Text where a number is needed."""
    return SqlError(1722, SYNTAX, "invalid number")


def number_overflow() -> SqlError:
    """A number beyond NUMBER's range."""
    return SqlError(1426, "22003", "numeric overflow")


def too_few_values() -> SqlError:
    """Fewer values than columns."""
    return SqlError(947, "21S01", "not enough values")


def too_many_values() -> SqlError:
    """More values than columns."""
    return SqlError(913, "21S01", "too many values")


def row_busy() -> SqlError:
    """NOWAIT, and another transaction holds the row."""
    return SqlError(54, GENERAL, "resource busy and acquire with NOWAIT specified or timeout expired")


def wait_expired() -> SqlError:
    """WAIT n, and another transaction held the row for longer."""
    return SqlError(30006, GENERAL, "resource busy; acquire with WAIT timeout expired")


def lock_wait_expired() -> SqlError:
    """Another transaction held the row for longer than the server lets a statement wait."""
    return internal(-6003, "Lock wait timeout exceeded; try restarting transaction")


def no_such_savepoint(name: str) -> SqlError:
    """No savepoint of this name in the open transaction."""
    return SqlError(1086, GENERAL, f"savepoint '{name}' never established in this session or is invalid")


def unknown_variable(name: str) -> SqlError:
    """No system variable of this name."""
    return internal(-5193, f"Unknown system variable '{name}'")


def not_supported(what: str) -> SqlError:
    """OceanBase knows it, the simulator does not."""
    return internal(-4007, f"{what} not supported", "0A000")


def unexpected() -> SqlError:
    """The server's own mistake: the session goes on, the log has a line."""
    return internal(-4016, "Internal error")
