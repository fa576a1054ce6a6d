"""The kind and the version of a server are read from its handshake and its product text."""

from __future__ import annotations

import pytest

from runner.doctor.findings import flavour_and_version


@pytest.mark.parametrize(
    ("handshake", "product", "expected"),
    [
        ("5.5.5-10.11.19-MariaDB-0+deb12u1", "Debian 12", ("MariaDB", "10.11.19-MariaDB-0+deb12u1")),
        ("11.8.3-MariaDB", "mariadb.org binary distribution", ("MariaDB", "11.8.3-MariaDB")),
        ("5.7.25", "OceanBase 4.3.5.3 seekdb (r1.4.0.0) (Built 1-d0cb Sep  8 2026)", ("seekdb", "1.4.0.0")),
        ("5.6.25", "OceanBase 4.2.1.8 (r108000022024072217-3149)", ("OceanBase", "4.2.1.8")),
        ("5.7.25-OceanBase-v4.2.1.8", None, ("OceanBase", "4.2.1.8")),
        ("5.7.25-OceanBase_CE-v4.3.5.1", None, ("OceanBase", "4.3.5.1")),
        ("5.7.25-OceanBase-simulator", "OceanBase simulator", ("OceanBase", "5.7.25-OceanBase-simulator")),
        ("8.4.6", "MySQL Community Server - GPL", ("MySQL", "8.4.6")),
        ("OceanBase_4.2.1.8", None, ("OceanBase", "4.2.1.8")),
        ("v0.4.0-MatrixOne", None, ("unknown", "v0.4.0-MatrixOne")),
        ("9.9-something", None, ("unknown", "9.9-something")),
        ("", "", ("unknown", "")),
    ],
)
def test_flavour_and_version_are_read_from_handshake_and_product(
    handshake: str, product: str | None, expected: tuple[str, str]
) -> None:
    assert flavour_and_version(handshake, product) == expected
