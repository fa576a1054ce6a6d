"""Generated passwords: they satisfy common rules, and are masked in texts."""

from __future__ import annotations

import re

from runner.database.generated_passwords import new_password, new_plain_password, without_passwords


def test_a_password_satisfies_common_rules_and_is_masked_in_texts() -> None:
    passwords = {new_password() for _ in range(200)}
    assert len(passwords) == 200
    for password in passwords:
        assert 9 <= len(password) <= 30
        for kind in ("[A-Z]", "[a-z]", "[0-9]", "[#_]"):
            assert len(re.findall(kind, password)) >= 2, (kind, password)
        assert not re.search(r"""['"\\\s]""", password)
        assert without_passwords(f'IDENTIFIED BY "{password}"') == 'IDENTIFIED BY "<password>"'


def test_a_plain_password_has_only_lower_case_letters_and_digits() -> None:
    passwords = {new_plain_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(re.fullmatch(r"[a-z][a-z0-9]{15,29}", password) for password in passwords)
