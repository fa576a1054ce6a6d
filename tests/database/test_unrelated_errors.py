"""Errors of servers of many makes, as these word them: what the protocol tells about them."""

from __future__ import annotations

import pytest

from runner.database.outcome import ServerError
from runner.database.unrelated_errors import ErrorKind, error_kind_of, is_connection_limit

ERRORS = {
    ErrorKind.UNSUPPORTED: [
        (1064, "42000", "You have an error in your SQL syntax; check the manual near 'ORDER BY id' at line 1"),
        (1149, "42000", "parse error"),
        (1235, "42000", "This version of TiDB doesn't yet support 'FOR UPDATE of a view'"),
        (1146, "42S02", "Table 'test.dual' doesn't exist"),
        (1054, "42S22", "Unknown column 'val' in 'field list'"),
        (1305, "42000", "FUNCTION test.SLEEP does not exist"),
        (1295, "HY000", "This command is not supported in the prepared statement protocol yet"),
        (1047, "08S01", "Unknown command"),
        (1105, "HY000", "errCode = 2, detailMessage = Unknown table 'dual'"),
        (1105, "HY000", "VT12001: unsupported: ORDER BY in a cross-shard query"),
        (1105, "HY000", "not implemented: SELECT FOR UPDATE"),
        (5000, "HY000", "Getting syntax error at line 1, column 9. Detail message: Unexpected input 'KILL'"),
        (900, "42000", "ORA-00900: invalid SQL statement"),
        (942, "42S02", "OBE-00942: table or view does not exist"),
        (600, "0A000", "ORA-00600: internal error code, arguments: -4007, CALL not supported"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -5193, Unknown system variable 'x'"),
        (20101, "HY000", "internal error: relation dual not found"),
    ],
    ErrorKind.RULES: [
        (1819, "HY000", "Your password does not satisfy the current policy requirements"),
        (1820, "HY000", "You must reset your password using ALTER USER statement before executing this statement."),
        (1862, "HY000", "Your password has expired. To log in you must change it using a client that supports it."),
        (28001, "HY000", "ORA-28001: the account has expired"),
        (28003, "HY000", "ORA-28003: password verification for the specified password failed"),
        (600, "HY000", "OBE-00600: internal error code, arguments: -5999, password must contain a special character"),
        (20023, "HY000", "ORA-20023: Password should contain at least one upper case letter"),
        (972, "HY000", "ORA-00972: identifier is too long"),
        (1059, "42000", "Identifier name 'KSC_TP75CVWI34O_0567' is too long"),
        (3159, "HY000", "Connections using insecure transport are prohibited while --require_secure_transport=ON."),
        (1105, "HY000", "SSL connection is required for this user"),
        (1130, "HY000", "Host '10.0.0.7' is not allowed to connect to this MySQL server"),
        (1470, "HY000", "String 'KSC_TP75CVWI34O_0567' is too long for user name (should be no longer than 16)"),
        (1045, "28000", "Statement was blocked by Firewall"),
        (1148, "42000", "Firewall blocked this query"),
    ],
    ErrorKind.SHORTAGE: [
        (600, "HY000", "ORA-00600: internal error code, arguments: -5270, SQL reach max concurrent num 1"),
        (1035, "HY000", "ORA-01035: ORACLE only available to users with RESTRICTED SESSION privilege"),
        (1105, "HY000", "request was throttled, rate limit exceeded"),
        (3168, "HY000", "Request rate exceeded for this statement, retry later"),
        (2391, "HY000", "ORA-02391: exceeded simultaneous SESSIONS_PER_USER limit"),
        (1040, "08004", "Too many connections"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -4012, Timeout"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -4019, Size overflow"),
        (600, "HY000", "OBE-00600: internal error code, arguments: -4654, get location leader not exist"),
        (257, "HY000", "ORA-00257: archiver error. Connect internal only, until freed."),
        (3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded"),
        (1969, "70100", "Query execution was interrupted (max_statement_time exceeded)"),
        (3032, "HY000", "The server is currently in offline mode"),
        (9005, "HY000", "Region is unavailable"),
        (2003, "HY000", "Lost connection to backend server: network error"),
        (1041, "HY000", "Out of memory; check if mysqld or some other process uses all available memory"),
        (1021, "HY000", "Disk full (/tmp/#sql); waiting for someone to free some space"),
        (3, "HY000", "Error writing file '/tmp/x' (Errcode: 28 - No space left on device)"),
        (1114, "HY000", "The table 't' is full"),
        (1047, "08S01", "WSREP has not yet prepared node for application use"),
        (9001, "HY000", "Max connect timeout reached while reaching hostgroup 0 after 10000ms"),
        (4013, "HY001", "No memory or reach tenant memory limit"),
        (1105, "HY000", "Memory limit exceeded: query used 3 GB"),
        (1290, "HY000", "The MySQL server is running with the --read-only option so it cannot execute this statement"),
        (16000, "HY000", "ORA-16000: database or pluggable database open for read-only access"),
        (8252, "HY000", "Exceeded resource group quota limitation"),
        (8254, "HY000", "Query execution was interrupted, identified as runaway query"),
        (7504, "HY000", "Concurrency control waiting count exceed max waiting count"),
        (4994, "HY000", "[TDDL-4994][ERR_FLOW_CONTROL] current flow control threshold exceeded"),
        (1637, "HY000", "Too many active concurrent transactions"),
        (4700, "HY000", "ERR-CODE: TDDL-4700 ERR_SERVER: server is busy"),
        (1777, "HY000", "Partition db:0 has no master instance."),
        (40, "HY000", "ORA-00040: active time limit exceeded - call aborted"),
        (2399, "HY000", "ORA-02399: exceeded maximum connect time, you are being logged off"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -4725, leader not exist"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -4263, Server is initializing"),
    ],
    ErrorKind.CONFLICT: [
        (1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"),
        (1223, "HY000", "Can't execute the query because you have a conflicting read lock"),
        (1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"),
        (1792, "25006", "Cannot execute statement in a READ ONLY transaction."),
        (1053, "08S01", "Server shutdown in progress"),
        (9007, "HY000", "Write conflict, txnStartTS=1 is stale [try again later]"),
        (54, "HY000", "ORA-00054: resource busy and acquire with NOWAIT specified or timeout expired"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -6003, Lock wait timeout exceeded"),
        (600, "HY000", "ORA-00600: internal error code, arguments: -6210, Transaction is timeout"),
    ],
    ErrorKind.OTHER: [
        (1094, "HY000", "Unknown thread id: 7"),
        (1095, "HY000", "You are not owner of thread 7"),
        (1227, "42000", "Access denied; you need (at least one of) the SUPER privilege(s) for this operation"),
        (1142, "42000", "SELECT command denied to user 'a'@'b' for table 't'"),
        (1045, "28000", "Access denied for user 'a'@'b' (using password: YES)"),
        (1317, "70100", "Query execution was interrupted"),
        (28, "HY000", "ORA-00028: your session has been killed"),
        (30, "HY000", "ORA-00030: User session ID does not exist."),
        (1031, "42000", "ORA-01031: insufficient privileges"),
        (1062, "23000", "Duplicate entry '1' for key 'PRIMARY'"),
        (955, "42S01", "ORA-00955: name is already used by an existing object"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        pytest.param(kind, ServerError(*error), id=f"{kind.name}-{error[0]}-{error[2][:30]}")
        for kind, errors in ERRORS.items()
        for error in errors
    ],
)
def test_the_kind_of_an_error_is_recognised_by_code_sqlstate_or_message(kind: ErrorKind, error: ServerError) -> None:
    assert error_kind_of(error) is kind


@pytest.mark.parametrize(
    ("resource", "limits_connections"),
    [("max_user_connections", True), ("max_questions", False), ("x_per_hour", False)],
)
def test_a_limit_per_hour_is_no_limit_of_connections(resource: str, limits_connections: bool) -> None:
    message = f"User 'a' has exceeded the '{resource}' resource (current value: 20)"
    assert is_connection_limit(ServerError(1226, "42000", message)) is limits_connections
