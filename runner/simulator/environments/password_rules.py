"""A tenant with rules for passwords."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.accounts import Accounts
from runner.simulator.catalogue import environment

_SHORTEST = 8


@environment
class PasswordRules(Accounts):
    """Passwords need a capital, a small letter, a digit and a special character: the page's example is refused."""

    def check_password(self, password: str) -> None:
        kinds = (str.isupper, str.islower, str.isdigit, lambda character: not character.isalnum())
        if len(password) < _SHORTEST or not all(any(map(kind, password)) for kind in kinds):
            raise errors.password_rejected(
                "ERROR-20023: a password has 8 characters at least, among them a capital, a small letter, a digit "
                "and a special character"
            )
