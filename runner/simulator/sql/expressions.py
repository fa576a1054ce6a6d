"""Expressions and conditions: their classes and their grammar."""

from __future__ import annotations

from dataclasses import dataclass

from runner.simulator import errors
from runner.simulator.sql.tokens import NUMBER, QUOTED, STRING, VARIABLE, WORD, Cursor
from runner.simulator.values import LONGEST_TEXT, Value, number

COMPARISONS = ("=", "<>", "!=", "^=", "<", ">", "<=", ">=")

# Functions that are written without parentheses.
BARE_FUNCTIONS = frozenset({"USER", "UID", "SYSDATE", "SYSTIMESTAMP", "CURRENT_TIMESTAMP", "CURRENT_DATE"})


@dataclass(frozen=True, slots=True)
class Expression:
    """Base class of expressions."""


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A number, a text or NULL."""

    value: Value


@dataclass(frozen=True, slots=True)
class Field(Expression):
    """The name of a column."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    """The name of a system variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A call of a function."""

    name: str
    arguments: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation(Expression):
    """An operation with +, -, *, / or ||."""

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison: an operator of COMPARISONS, LIKE, IN or IS, or one of the last three with NOT."""

    operator: str
    left: Expression
    right: tuple[Expression, ...]
    negated: bool = False


def expression(cursor: Cursor) -> Expression:
    """Reads an expression."""
    left = _product(cursor)
    while sign := cursor.symbol("+", "-", "||"):
        left = Operation(sign, left, _product(cursor))
    return left


def arguments(cursor: Cursor) -> tuple[Expression, ...]:
    """Reads expressions between commas, and the closing parenthesis."""
    found = [expression(cursor)]
    while cursor.symbol(","):
        found.append(expression(cursor))
    cursor.expect_symbol(")")
    return tuple(found)


def where(cursor: Cursor) -> tuple[Condition, ...]:
    """Reads WHERE and its conditions, joined by AND; without WHERE there are none."""
    if not cursor.accept("WHERE"):
        return ()
    found = [_condition(cursor)]
    while cursor.accept("AND"):
        found.append(_condition(cursor))
    return tuple(found)


def _condition(cursor: Cursor) -> Condition:
    left = expression(cursor)
    if operator := cursor.symbol(*COMPARISONS):
        return Condition(operator, left, (expression(cursor),))
    if cursor.accept("IS"):
        negated = cursor.accept("NOT")
        cursor.expect("NULL")
        return Condition("IS", left, (), negated)
    negated = cursor.accept("NOT")
    if cursor.accept("LIKE"):
        return Condition("LIKE", left, (expression(cursor),), negated)
    cursor.expect("IN")
    cursor.expect_symbol("(")
    return Condition("IN", left, arguments(cursor), negated)


def _product(cursor: Cursor) -> Expression:
    left = _operand(cursor)
    while sign := cursor.symbol("*", "/"):
        left = Operation(sign, left, _operand(cursor))
    return left


def _operand(cursor: Cursor) -> Expression:
    cursor.enter_level()
    found = _signed(cursor)
    cursor.leave_level()
    return found


def _signed(cursor: Cursor) -> Expression:
    if cursor.symbol("-"):
        return Operation("-", Literal(0), _operand(cursor))
    if cursor.symbol("+"):
        return _operand(cursor)
    if cursor.symbol("("):
        inner = expression(cursor)
        cursor.expect_symbol(")")
        return inner
    return _plain(cursor)


def _plain(cursor: Cursor) -> Expression:
    token = cursor.now
    if token.kind == NUMBER:
        return Literal(number(cursor.next().value))
    if token.kind == STRING:
        if len(token.value) > LONGEST_TEXT:
            raise errors.literal_too_long()
        return Literal(cursor.next().value or None)
    if token.kind == VARIABLE:
        return Variable(cursor.next().value)
    if cursor.accept("NULL"):
        return Literal(None)
    if token.kind not in (WORD, QUOTED):
        cursor.fail()
    return _named(cursor)


def _named(cursor: Cursor) -> Expression:
    quoted = cursor.now.kind == QUOTED
    name = cursor.name()
    if cursor.symbol("("):
        if cursor.symbol(")"):
            return Call(name)
        if name == "COUNT" and cursor.symbol("*"):
            cursor.expect_symbol(")")
            return Call(name)
        return Call(name, arguments(cursor))
    if name in BARE_FUNCTIONS and not quoted:
        return Call(name)
    while cursor.symbol("."):
        name = cursor.name()
    return Field(name)
