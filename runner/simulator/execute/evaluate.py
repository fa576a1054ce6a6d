"""Evaluates expressions and conditions."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any

from runner.simulator import errors
from runner.simulator.execute.dictionary import system_variable
from runner.simulator.sessions import Session
from runner.simulator.sql.expressions import Call, Condition, Expression, Field, Literal, Operation, Variable
from runner.simulator.values import Value, as_number, as_text

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "^=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The session and the row for which an expression is evaluated; ``positions`` has the positions of the columns."""

    session: Session
    positions: Mapping[str, int]
    row: Sequence[Value] = ()


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of an expression."""
    match expression:
        case Literal():
            return expression.value
        case Field():
            position = scope.positions.get(expression.name)
            if position is None:
                raise errors.invalid_identifier(expression.name)
            return scope.row[position] if scope.row else None
        case Operation():
            return _operation(expression.sign, evaluate(expression.left, scope), evaluate(expression.right, scope))
        case Variable():
            return system_variable(expression.name, scope.session)
        case Call():
            return _call(expression, scope)
    raise errors.not_supported(type(expression).__name__)


def holds(conditions: Iterable[Condition], scope: Scope) -> bool:
    """Whether all conditions are true. A comparison with NULL is not."""
    return all(_holds(condition, scope) for condition in conditions)


def _holds(condition: Condition, scope: Scope) -> bool:
    left = evaluate(condition.left, scope)
    if condition.operator == "IS":
        return (left is None) is not condition.negated
    rights = [evaluate(right, scope) for right in condition.right]
    if left is None or (None in rights and condition.operator != "IN"):
        return False
    if condition.operator == "LIKE":
        return like(as_text(left), as_text(rights[0] or "")) is not condition.negated
    if condition.operator == "IN":
        found = any(right is not None and _compare("=", left, right) for right in rights)
        return found is not condition.negated and (found or None not in rights)
    return _compare(condition.operator, left, rights[0])


def _compare(sign: str, left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    if not (isinstance(left, str) and isinstance(right, str)):
        return _COMPARE[sign](as_number(left), as_number(right))
    return _COMPARE[sign](left, right)


def like(text: str, pattern: str) -> bool:
    """LIKE. Each text between percent signs is searched only once, so that no pattern takes long."""
    first, *middle = [re.escape(piece).replace("_", ".") for piece in pattern.split("%")]
    if not middle:
        return re.fullmatch(first, text, re.DOTALL) is not None
    last = middle.pop()
    match = re.match(first, text, re.DOTALL)
    for piece in middle:
        match = match and re.compile(piece, re.DOTALL).search(text, match.end())
    end = re.search(f"(?:{last})\\Z", text, re.DOTALL)
    return match is not None and end is not None and end.start() >= match.end()


def _operation(sign: str, left: Value, right: Value) -> Value:
    if sign == "||":
        return "".join(as_text(side) for side in (left, right) if side is not None) or None
    if left is None or right is None:
        return None
    one, other = as_number(left), as_number(right)
    try:
        return _ARITHMETIC[sign](Decimal(one), Decimal(other))
    except DecimalException:
        raise errors.number_overflow() from None


def _call(call: Call, scope: Scope) -> Value:
    function = _FUNCTIONS.get((call.name, len(call.arguments)))
    if function is None:
        raise errors.invalid_identifier(call.name)
    return function(scope.session, *(evaluate(argument, scope) for argument in call.arguments))


def _userenv(session: Session, name: Value) -> Value:
    facts: dict[str, Value] = {
        "SID": session.number,
        "SESSIONID": session.number,
        "INSTANCE": 1,
        "LANG": "US",
        "LANGUAGE": "AMERICAN_AMERICA.AL32UTF8",
        "SCHEMAID": session.user.number,
    }
    return _fact(facts, name)


def _sys_context(session: Session, namespace: Value, name: Value) -> Value:
    if as_text(namespace or "").upper() != "USERENV":
        return None
    facts: dict[str, Value] = {
        "SID": session.number,
        "SESSIONID": session.number,
        "SESSION_USER": session.user.name,
        "CURRENT_USER": session.user.name,
        "CURRENT_SCHEMA": session.schema,
        "IP_ADDRESS": session.host.rpartition(":")[0],
        "INSTANCE": 1,
    }
    value = _fact(facts, name)
    return None if value is None else as_text(value)


def _fact(facts: Mapping[str, Value], name: Value) -> Value:
    key = as_text(name or "").upper()
    if key not in facts:
        raise errors.invalid_parameter()
    return facts[key]


def _now(_: Session) -> Value:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _of_text(function: Callable[[str], Value]) -> Callable[[Session, Value], Value]:
    return lambda _, value: None if value is None else function(as_text(value))


_ARITHMETIC: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}

_FUNCTIONS: dict[tuple[str, int], Callable[..., Value]] = {
    ("USER", 0): lambda session: session.user.name,
    ("UID", 0): lambda session: session.user.number,
    ("USERENV", 1): _userenv,
    ("SYS_CONTEXT", 2): _sys_context,
    ("SYSDATE", 0): _now,
    ("SYSTIMESTAMP", 0): _now,
    ("CURRENT_TIMESTAMP", 0): _now,
    ("CURRENT_DATE", 0): _now,
    ("UPPER", 1): _of_text(str.upper),
    ("LOWER", 1): _of_text(str.lower),
    ("LENGTH", 1): _of_text(len),
    ("TO_CHAR", 1): _of_text(str),
    ("TO_NUMBER", 1): _of_text(as_number),
}
