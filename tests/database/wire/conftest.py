"""Runs every test of this folder twice: in plain text and over TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.certificates import Authority
from tests.support.protocol_server import encrypted


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True, params=["plain", "tls"])
def line(request: pytest.FixtureRequest, authority: Authority) -> Iterator[None]:
    """Every test here runs in plain text and over TLS."""
    with encrypted(authority if request.param == "tls" else None):
        yield
