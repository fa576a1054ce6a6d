"""Servers whose grammar lacks what the cases prepare and look with: nothing of the statement under test is wrong."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import undecidable
from runner.simulator.execute.engine import Engine

if TYPE_CHECKING:
    from runner.simulator.sql import statements as sql


class _Lacking(Engine):
    """Refuses every statement with one of these words in it."""

    lacking: ClassVar[str]

    def parse(self, text: str) -> sql.Statement:
        if re.search(self.lacking, text, re.IGNORECASE):
            raise self.refusal(text)
        return super().parse(text)

    def refusal(self, text: str) -> errors.SqlError:
        return errors.SqlError(
            1064, errors.SYNTAX, f"You have an error in your SQL syntax near '{text[:40]}'", oracle=False
        )


@undecidable
class WithoutOrderBy(_Lacking):
    """ORDER BY is a syntax error."""

    lacking = r"\bORDER\s+BY\b"


@undecidable
class WithoutDual(_Lacking):
    """The table DUAL doesn't exist; a SELECT of constants has no FROM instead."""

    lacking = r"\bFROM\s+DUAL\b"

    def parse(self, text: str) -> sql.Statement:
        if re.match(r"\s*SELECT\b", text, re.IGNORECASE) and not re.search(r"\bFROM\b", text, re.IGNORECASE):
            return Engine.parse(self, f"{text} FROM DUAL")
        return super().parse(text)

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - it is the same for every text
        return errors.SqlError(1146, "42S02", "Table 'sys.dual' doesn't exist", oracle=False)


@undecidable
class WithoutForUpdate(_Lacking):
    """SELECT … FOR UPDATE gives an error with a message only, without a known code."""

    lacking = r"\bFOR\s+UPDATE\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - it is the same for every text
        return errors.SqlError(1105, errors.GENERAL, "unsupported: SELECT with a locking clause", oracle=False)


@undecidable
class WithoutTransactions(_Lacking):
    """Every change is committed at once, and the statements of transactions are unknown."""

    lacking = r"\b(?:AUTOCOMMIT|START\s+TRANSACTION|COMMIT|ROLLBACK)\b"


@undecidable
class WithoutUpdate(_Lacking):
    """UPDATE is not supported for the tables that can be created."""

    lacking = r"^\s*UPDATE\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - it is the same for every text
        return errors.SqlError(1235, errors.SYNTAX, "This version doesn't yet support 'UPDATE'", oracle=False)


@undecidable
class WithoutColumnReferences(_Lacking):
    """UPDATE can't compute a value from a column."""

    lacking = r"\bval\s*=\s*val\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - it is the same for every text
        return errors.SqlError(1054, "42S22", "Unknown column 'val' in 'field list'", oracle=False)


@undecidable
class WithoutSleep(_Lacking):
    """No statement with a chosen duration exists."""

    lacking = r"\bSLEEP\b|\bLOOP\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - it is the same for every text
        return errors.SqlError(1305, errors.SYNTAX, "FUNCTION sleep does not exist", oracle=False)
