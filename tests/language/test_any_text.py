"""Any text in a file: it loads, or the file is rejected. Nothing else happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.language.case_files import load_cases
from runner.language.problems import SourceError
from tests.language.case_texts import VALID, write
from tests.support.paths import ROOT

LINES = VALID.splitlines()
WORDS = sorted(
    {word for line in LINES for word in line.split()} | {"!!int", "!!timestamp", "&a", "*a", "? ", "- ", "${"}
)

same_folder = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loads_or_is_refused(path: Path) -> None:
    try:
        load_cases(path)
    except SourceError as error:
        problem = error
    else:
        return
    assert 1 <= problem.place.line <= path.read_bytes().count(b"\n") + 2
    assert problem.place.column >= 1
    assert problem.what
    assert str(problem).startswith(str(problem.place))


@same_folder
@given(text=st.text(max_size=300))
def test_any_text_is_a_file_or_is_refused(tmp_path: Path, text: str) -> None:
    loads_or_is_refused(write(tmp_path, text))


@same_folder
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_file_or_are_refused(tmp_path: Path, content: bytes) -> None:
    loads_or_is_refused(write(tmp_path, content))


@st.composite
def changed_lines(draw: st.DrawFn) -> str:
    """A valid file, of which some lines were deleted, doubled, moved, indented or replaced."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        other = draw(st.sampled_from(LINES))
        line = lines[at] if lines else other
        lines[at : at + 1] = draw(
            st.sampled_from([[], [line, line], [other], [line, other], ["  " + line], [line.removeprefix("  ")]])
        )
    return "\n".join(lines)


@same_folder
@given(text=changed_lines())
def test_a_valid_file_with_changed_lines_loads_or_is_refused(tmp_path: Path, text: str) -> None:
    loads_or_is_refused(write(tmp_path, text))


@st.composite
def changed_words(draw: st.DrawFn) -> str:
    """A valid file, of which some words were replaced by other words, or by nothing, or by any text."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 8))
        new = draw(st.sampled_from(WORDS) | st.text(max_size=4))
        text = text[:at] + new + text[at + length :]
    return text


@same_folder
@given(text=changed_words())
def test_a_valid_file_with_changed_words_loads_or_is_refused(tmp_path: Path, text: str) -> None:
    loads_or_is_refused(write(tmp_path, text))


values = st.recursive(
    st.sampled_from(
        ["killer", "victim", "gone", "ok", "rows", "observed", "later", "${victim.id}", "on", "1", "null", "[]"]
    ),
    lambda inner: (
        st.builds("[{}]".format, st.lists(inner, max_size=3).map(", ".join))
        | st.builds(
            "{{{}}}".format,
            st.dictionaries(
                st.sampled_from(
                    [
                        "killer",
                        "reply",
                        "receive",
                        "wait",
                        "connect",
                        "ok",
                        "rows",
                        "values",
                        "sessions",
                        "columns",
                        "ends",
                    ]
                ),
                inner,
                max_size=3,
            ).map(lambda pairs: ", ".join(f"{key}: {value}" for key, value in pairs.items())),
        )
    ),
    max_leaves=8,
)


@same_folder
@given(key=st.sampled_from(["steps", "ends", "observe", "parameters", "sessions", "table", "repeat"]), value=values)
def test_any_value_in_a_case_loads_or_is_refused(tmp_path: Path, key: str, value: str) -> None:
    own = {"requirement": "MUS-1", "title": "holds", "sessions": "{killer: {}}", "steps": "[{killer: x}]"}
    said = "".join(f"    {name}: {text}\n" for name, text in (own | {key: value}).items())
    loads_or_is_refused(write(tmp_path, f"format: 1\ncases:\n  - id: a\n{said}"))


DEEP = {
    "open brackets": "a: " + "[" * 200_000,
    "brackets": "a: " + "[" * 3000 + "]" * 3000,
    "indented lists": "- " * 3000,
    "aliases of itself": "&a {b: *a}",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=list(DEEP))
def test_deep_nesting_is_refused_and_crashes_nothing(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    program = (
        "import sys, pathlib\nfrom runner.language.case_files import load_cases, SourceError\n"
        "try: load_cases(pathlib.Path(sys.argv[1]))\nexcept SourceError as error: print('refused', error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-500:]}"
    assert done.stdout.startswith("refused")
