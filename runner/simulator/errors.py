"""All errors of the server, with code, SQL state and message.

In Oracle mode an error has Oracle's code, if there is one, else 600 with OceanBase's own code in the message.
Before login, errors have the codes and messages of MySQL.
"""

from __future__ import annotations

NEAR_LIMIT = 80
MESSAGE_LIMIT = 512
GENERAL = "HY000"
SYNTAX = "42000"


class SqlError(Exception):
    """A statement or a login is refused."""

    def __init__(self, code: int, sqlstate: str, text: str, *, oracle: bool = True) -> None:
        super().__init__(code, sqlstate, text)
        self.code = code
        self.sqlstate = sqlstate
        self.text = text
        self.oracle = oracle

    def message(self, prefix: str) -> str:
        """The message as it is sent; Oracle's errors begin with a prefix and their code."""
        return f"{prefix}-{self.code:05d}: {self.text}" if self.oracle else self.text


class SessionEndedError(Exception):
    """The session of the running statement has ended; the statement stops without a reply."""


def internal(kernel_code: int, text: str, sqlstate: str = GENERAL) -> SqlError:
    """An error of OceanBase that has no code in Oracle."""
    return SqlError(600, sqlstate, f"internal error code, arguments: {kernel_code}, {text}")


# Login, with MySQL's codes and messages.


def access_denied(user: str, *, with_password: bool) -> SqlError:
    """Wrong password or no such user: one error for both."""
    used = "YES" if with_password else "NO"
    text = f"Access denied for user '{user}'@'xxx.xxx.xxx.xxx' (using password: {used})"
    return SqlError(1045, SYNTAX, text, oracle=False)


def no_such_cluster() -> SqlError:
    """ODP knows no cluster with the name in the login."""
    return SqlError(4669, GENERAL, "cluster not exist", oracle=False)


def no_create_session(user: str) -> SqlError:
    """The password is correct, but the user has no CREATE SESSION privilege."""
    return SqlError(1045, GENERAL, f"user {user} lacks CREATE SESSION privilege; logon denied")


def not_an_oracle_client() -> SqlError:
    """The client does not have the capability bit of Oracle mode."""
    return SqlError(1235, "0A000", "Oracle tenant for current client driver is not supported", oracle=False)


def insecure_transport() -> SqlError:
    """The user has to log in with TLS."""
    text = "Connections using insecure transport are prohibited while --require_secure_transport=ON."
    return SqlError(3159, GENERAL, text, oracle=False)


def bad_handshake() -> SqlError:
    """The login packet is malformed."""
    return SqlError(1043, "08S01", "Bad handshake", oracle=False)


def too_many_connections() -> SqlError:
    """The limit of connections is reached."""
    return SqlError(1040, "08004", "Too many connections", oracle=False)


def too_many_logins(limit: int) -> SqlError:
    """A user has logged in too often in the last second."""
    text = f"User has exceeded the 'max_logins_per_second' resource (current value: {limit})"
    return SqlError(1226, SYNTAX, text, oracle=False)


def too_many_sessions_of_user() -> SqlError:
    """The user has as many sessions as its profile allows."""
    return SqlError(2391, GENERAL, "exceeded simultaneous SESSIONS_PER_USER limit")


def too_many_connections_of_user(name: str, limit: int) -> SqlError:
    """The user has as many connections as its resource limit allows."""
    text = f"User '{name}' has exceeded the 'max_user_connections' resource (current value: {limit})"
    return SqlError(1226, SYNTAX, text, oracle=False)


def too_many_statements(limit: int) -> SqlError:
    """The user has sent the number of statements that it may send in an hour."""
    text = f"User has exceeded the 'max_questions' resource (current value: {limit})"
    return SqlError(1226, "42000", text, oracle=False)


def too_many_users() -> SqlError:
    """The tenant has no room for another user."""
    return SqlError(2392, GENERAL, "maximum number of users exceeded")


def packet_too_large() -> SqlError:
    """A packet is larger than the limit."""
    return SqlError(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes", oracle=False)


def unknown_command() -> SqlError:
    """The command byte is unknown."""
    return SqlError(1047, "08S01", "Unknown command", oracle=False)


def unknown_prepared(number: int) -> SqlError:
    """The session has no prepared statement with this id."""
    return SqlError(1243, GENERAL, f"Unknown prepared statement handler ({number}) given to EXECUTE", oracle=False)


def bad_parameters() -> SqlError:
    """The values of a prepared statement's parameters are malformed."""
    return SqlError(1210, GENERAL, "Incorrect arguments to EXECUTE", oracle=False)


def too_many_prepared() -> SqlError:
    """A session has too many prepared statements, or too long ones."""
    return SqlError(1461, SYNTAX, "Can't create more than max_prepared_stmt_count statements", oracle=False)


def not_preparable() -> SqlError:
    """The statement can't be prepared."""
    return SqlError(1295, GENERAL, "This command is not supported in the prepared statement protocol yet", oracle=False)


def unknown_database(name: str) -> SqlError:
    """The schema in the login does not exist."""
    return SqlError(1049, SYNTAX, f"Unknown database '{name}'", oracle=False)


# Statements.


def syntax_error(near: str, line: int) -> SqlError:
    """The text is not a statement; ``near`` begins at the first unexpected token."""
    shown = near.encode("utf-8", "surrogateescape")[:NEAR_LIMIT].decode("utf-8", "surrogateescape").rstrip()
    return SqlError(
        900,
        SYNTAX,
        "You have an error in your SQL syntax; check the manual that corresponds to your OceanBase version "
        f"for the right syntax to use near '{shown}' at line {line}",
    )


def empty_query() -> SqlError:
    """The text contains no statement."""
    return internal(-5253, "Query was empty", SYNTAX)


def statement_too_long() -> SqlError:
    """The statement has too many tokens."""
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
    """The text between the quotes is invalid: Oracle's error, which OceanBase does not have."""
    return SqlError(26, GENERAL, "missing or invalid session ID")


def own_session_killed() -> SqlError:
    """A session behind a proxy has killed itself."""
    return SqlError(4401, GENERAL, "Client Session need be killed")


def session_killed() -> SqlError:
    """The session of the running statement was killed."""
    return SqlError(1092, GENERAL, "OceanBase instance terminated. Disconnection forced")


def closed_by_a_peer() -> SqlError:
    """The session was killed: an error of another family of servers, or of a proxy."""
    return SqlError(9898, GENERAL, "the session was closed at the request of another one", oracle=False)


def query_timeout() -> SqlError:
    """The statement took longer than the query timeout."""
    return internal(-4012, "Timeout, query has reached the maximum query timeout")


def query_killed() -> SqlError:
    """The statement was stopped by KILL QUERY."""
    return internal(-5065, "Query execution was interrupted", "70100")


# Users, roles, privileges.


def name_taken() -> SqlError:
    """A user or role with this name exists."""
    return SqlError(1920, "42710", "user name conflicts with another user or role name")


def password_rejected(rule: str) -> SqlError:
    """The tenant's PASSWORD_VERIFY_FUNCTION rejects the password."""
    return SqlError(28003, GENERAL, f"password verification for the specified password failed\n{rule}")


def name_too_long() -> SqlError:
    """The name of a user or role is longer than the server allows."""
    return SqlError(972, GENERAL, "identifier is too long")


def role_name_taken(name: str) -> SqlError:
    """A role or user with this name exists."""
    return SqlError(1921, GENERAL, f"role name '{name}' conflicts with another user or role name")


def no_such_role(name: str) -> SqlError:
    """There is no role with this name."""
    return SqlError(1919, GENERAL, f"role '{name}' does not exist")


def no_such_grantee(name: str) -> SqlError:
    """There is no user or role with this name."""
    return SqlError(1917, GENERAL, f"user or role '{name}' does not exist")


def no_such_user(name: str) -> SqlError:
    """There is no user with this name."""
    return SqlError(1918, GENERAL, f"user '{name}' does not exist")


def user_operation_failed(operation: str, name: str) -> SqlError:
    """There is no such user, or another definition is being executed."""
    return internal(-5155, f"Operation {operation} failed for '{name}'@'%'")


def drop_needs_cascade() -> SqlError:
    """DROP USER needs CASCADE."""
    return internal(-4007, "drop user without CASCADE not supported", "0A000")


def not_granted(name: str) -> SqlError:
    """The system privilege is not granted."""
    return SqlError(1952, GENERAL, f"system privileges not granted to '{name}'")


def role_not_granted(role: str, name: str) -> SqlError:
    """The role is not granted."""
    return SqlError(1951, GENERAL, f"ROLE '{role}' not granted to '{name}'")


def object_not_granted() -> SqlError:
    """The object privilege is not granted."""
    return SqlError(1927, GENERAL, "cannot REVOKE privileges you did not grant")


def invalid_privilege() -> SqlError:
    """The privilege can't be granted in this way."""
    return SqlError(990, GENERAL, "missing or invalid privilege")


# Tables and values.


def no_such_table() -> SqlError:
    """The table does not exist, or the user has no privilege on it."""
    return SqlError(942, "42S02", "table or view does not exist")


def table_exists() -> SqlError:
    """A table with this name exists."""
    return SqlError(955, "42S01", "name is already used by an existing object")


def no_such_schema() -> SqlError:
    """There is no schema with this name."""
    return SqlError(1435, GENERAL, "user does not exist")


def invalid_identifier(name: str) -> SqlError:
    """There is no column or function with this name."""
    return SqlError(904, "42S22", f"invalid identifier '{name}'")


def undeclared(name: str) -> SqlError:
    """The package has no such procedure."""
    return SqlError(6550, GENERAL, f"line 1, column 1:\nPLS-00302: component '{name}' must be declared")


def package_not_visible(name: str) -> SqlError:
    """The package does not exist, or the user may not execute it."""
    return SqlError(6550, GENERAL, f"line 1, column 1:\nPLS-00201: identifier '{name}' must be declared")


def no_time_to_sleep() -> SqlError:
    """The time to sleep is not greater than 0."""
    return SqlError(14312, GENERAL, "the time to sleep has to be above 0")


def invalid_parameter() -> SqlError:
    """USERENV or SYS_CONTEXT has no such parameter."""
    return SqlError(2003, GENERAL, "invalid USERENV parameter")


def duplicate_column() -> SqlError:
    """Two columns have the same name."""
    return SqlError(957, "42S21", "duplicate column name")


def unique_violated() -> SqlError:
    """Another row has this primary key."""
    return SqlError(1, "23000", "unique constraint violated")


def null_not_allowed(column: str) -> SqlError:
    """NULL for a column that is NOT NULL."""
    return SqlError(1400, "23000", f"cannot insert NULL into '({column})'")


def value_too_large(column: str) -> SqlError:
    """The text is longer than the column's size."""
    return SqlError(12899, "22001", f"value too large for column {column}")


def literal_too_long() -> SqlError:
    """The literal is too long."""
    return SqlError(1704, GENERAL, "string literal too long")


def not_a_number() -> SqlError:
    """The text is not a number."""
    return SqlError(1722, SYNTAX, "invalid number")


def number_overflow() -> SqlError:
    """The number is out of range."""
    return SqlError(1426, "22003", "numeric overflow")


def too_few_values() -> SqlError:
    """There are fewer values than columns."""
    return SqlError(947, "21S01", "not enough values")


def too_many_values() -> SqlError:
    """There are more values than columns."""
    return SqlError(913, "21S01", "too many values")


def row_busy() -> SqlError:
    """NOWAIT: another transaction holds the row lock."""
    return SqlError(54, GENERAL, "resource busy and acquire with NOWAIT specified or timeout expired")


def wait_expired() -> SqlError:
    """WAIT n: another transaction held the row lock for n seconds."""
    return SqlError(30006, GENERAL, "resource busy; acquire with WAIT timeout expired")


def lock_wait_expired() -> SqlError:
    """Another transaction held the row lock for the server's time limit."""
    return internal(-6003, "Lock wait timeout exceeded; try restarting transaction")


def write_conflict() -> SqlError:
    """Optimistic transactions: another one has changed the same row and was committed before."""
    return SqlError(9007, GENERAL, "Write conflict, txnStartTS=4 is stale [try again later]", oracle=False)


def no_such_savepoint(name: str) -> SqlError:
    """The open transaction has no savepoint with this name."""
    return SqlError(1086, GENERAL, f"savepoint '{name}' never established in this session or is invalid")


def unknown_variable(name: str) -> SqlError:
    """There is no system variable with this name."""
    return internal(-5193, f"Unknown system variable '{name}'")


def not_supported(what: str) -> SqlError:
    """OceanBase supports it, the simulator does not."""
    return internal(-4007, f"{what} not supported", "0A000")


def unexpected() -> SqlError:
    """An internal error, with a line in the log; the session stays usable."""
    return internal(-4016, "Internal error")
