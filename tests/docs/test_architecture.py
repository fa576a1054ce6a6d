"""The packages import one another as README says: only from those above in its list, and the simulator from none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

ORDER = re.findall(r"^runner/(\w+)/ ", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


def imported(package: str) -> Iterator[tuple[str, str]]:
    """The modules of a package, and the packages of the suite that each imports."""
    for path in sorted((ROOT / "runner" / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("runner."):
                yield path.name, str(node.module).split(".")[1]


def test_readme_lists_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("runner/*/__init__.py")}
    assert sorted(ORDER) == sorted(packages)


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_from_those_above_it(package: str) -> None:
    allowed = {"simulator"} if package == "simulator" else {*ORDER[: ORDER.index(package) + 1]} - {"simulator"}
    assert [edge for edge in imported(package) if edge[1] not in allowed] == []
