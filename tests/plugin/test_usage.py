"""Messages and exit codes (0, 1 or 4, never a traceback) of ``pytest cases`` for its options, target and files."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from tests.plugin.written_cases import arguments_of, write_case
from tests.support.paths import ROOT
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import run_command, run_pytest

SECRET = "s3cretWord"  # noqa: S105 - the password of the DSNs below, which must not be shown

ENDS = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: ok\nends: [victim]"


@pytest.fixture(scope="module")
def dsn() -> Iterator[Dsn]:
    simulator = SimulatorProcess()
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


def test_one_requirement_on_the_embedded_simulator_is_exit_code_0() -> None:
    done = run_pytest("cases/forms.yaml", "--requirement", "SYN-2")
    assert done.code == 0
    assert "embedded simulator" in done.screen
    assert "SYN-2  conforms" in done.screen
    assert "SYN-1" not in done.screen
    assert done.shows_no_internals()


def test_the_target_of_the_dsn_is_named_without_its_password(dsn: Dsn) -> None:
    done = run_pytest(
        "cases/forms.yaml", "--requirement", "SYN-2", "--requirement", "SYN-1", "--dsn", dsn.text_with_password
    )
    assert done.code == 0
    assert dsn.shown in done.screen
    assert f":{dsn.password}@" not in done.screen
    assert "SYN-1  conforms" in done.screen
    assert "SYN-2  conforms" in done.screen


@pytest.mark.long
def test_a_target_at_an_ipv6_address_is_reached_and_named() -> None:
    simulator = SimulatorProcess("--host", "::1")
    try:
        done = run_pytest("cases/ending.yaml", "-k", "idle", "--dsn", simulator.dsn)
    finally:
        simulator.stop()
    assert done.code == 0, done.screen
    assert f"SYS%40oracle@[::1]:{Dsn.parse(simulator.dsn).port}/" in done.screen


MALFORMED = {
    "no scheme": f"SYS:{SECRET}@127.0.0.1:2881",
    "another scheme": f"postgres://SYS:{SECRET}@127.0.0.1:2881/",
    "a port beyond all": f"oceanbase://SYS:{SECRET}@127.0.0.1:{'9' * 5000}/",
    "a database": f"oceanbase://SYS:{SECRET}@127.0.0.1:2881/test",
    "the host forgotten": f"oceanbase://SYS:{SECRET}",
    "nothing": "",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=list(MALFORMED))
def test_an_invalid_dsn_is_exit_code_4_and_its_password_is_not_on_the_screen(text: str) -> None:
    done = run_pytest("cases/forms.yaml", "--requirement", "SYN-2", "--dsn", text)
    assert done.code == 4, done.screen
    assert "--dsn: the DSN" in done.screen
    assert SECRET not in done.screen
    assert done.shows_no_internals()


def test_a_refused_connection_is_exit_code_4_with_the_address_and_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run_pytest(
        "cases/forms.yaml", "--requirement", "SYN-2", "--dsn", f"oceanbase://SYS:{SECRET}@127.0.0.1:{port}/"
    )
    assert done.code == 4
    assert f"oceanbase://SYS@127.0.0.1:{port}/ can't be used" in done.screen
    assert "Connection refused" in done.screen
    assert SECRET not in done.screen
    assert done.shows_no_internals()


def test_a_wrong_password_is_exit_code_4_with_the_servers_error(dsn: Dsn) -> None:
    done = run_pytest(
        "cases/forms.yaml", "--requirement", "SYN-2", "--dsn", f"oceanbase://SYS@oracle:{SECRET}@{dsn.host}:{dsn.port}/"
    )
    assert done.code == 4
    assert "the administrator 'SYS@oracle' can't log in: error " in done.screen
    assert SECRET not in done.screen
    assert done.shows_no_internals()


def test_an_unknown_user_is_exit_code_4(dsn: Dsn) -> None:
    done = run_pytest(
        "cases/forms.yaml",
        "--requirement",
        "SYN-2",
        "--dsn",
        f"oceanbase://nobody@oracle:{SECRET}@{dsn.host}:{dsn.port}/",
    )
    assert done.code == 4
    assert "the administrator 'nobody@oracle' can't log in: error " in done.screen
    assert SECRET not in done.screen
    assert done.shows_no_internals()


BAD_OPTIONS = [
    (["--profile", "oceanbase-oracel"], "did you mean 'oceanbase-oracle'?"),
    (["--profile", "no-such-file.yaml"], "no-such-file.yaml:1:1: can't be read"),
    (["--profile", "cases/requirements.yaml"], "cases/requirements.yaml:"),
    (["--requirement", "PUR-99"], "--requirement: unknown requirement 'PUR-99'"),
    (["--requirement", "SYN-2", "--requirement", "SYM-2"], "did you mean 'SYN-2'?"),
    (["--settle", "soon"], "'soon' is not a number of seconds above 0 and up to 600"),
    (["--settle", "0"], "'0' is not a number of seconds"),
    (["--settle", "nan"], "'nan' is not a number of seconds"),
    (["--statement-limit", "inf"], "'inf' is not a number of seconds"),
    (["--record", "no/such/folder/record.json"], "--record: the folder no/such/folder does not exist"),
    (["--record", "/dev/full"], "--record: /dev/full is a device or a pipe; name a file"),
    (["--record", ""], "--record: the value is empty; give one, or remove the option"),
    (["--accounts", ""], "--accounts: the value is empty"),
    (["--known-deviations", " "], "--known-deviations: the value is empty"),
    (["--known-deviations", "x" * 300], "can't be read: File name too long"),
]


@pytest.mark.parametrize(("options", "said"), BAD_OPTIONS, ids=[" ".join(options)[:40] for options, _ in BAD_OPTIONS])
def test_an_invalid_option_is_exit_code_4_with_the_reason(options: list[str], said: str) -> None:
    done = run_pytest("cases/forms.yaml", *options)
    assert done.code == 4, done.screen
    assert said in done.screen
    assert done.shows_no_internals()


def test_a_folder_in_the_records_place_is_exit_code_4_before_any_case_runs(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    done = run_pytest("cases/forms.yaml", "--requirement", "SYN-2", "--record", str(folder))
    assert done.code == 4, done.screen
    assert "--record: " in done.screen
    assert "SYN-2  conforms" not in done.screen
    assert list(tmp_path.iterdir()) == [folder]
    assert done.shows_no_internals()


def test_no_target_is_needed_to_list_the_cases() -> None:
    done = run_pytest("cases", "--collect-only", "-q", "--dsn", f"oceanbase://SYS:{SECRET}@127.0.0.1:1/")
    assert done.code == 0
    assert "plain-form" in done.screen
    assert SECRET not in done.screen


BROKEN = {
    "broken YAML": (ENDS.replace("steps:", "steps: ["), "broken YAML"),
    "unknown session": (ENDS.replace("killer:", "kiler:"), "unknown session or step 'kiler'\n    hint: did you mean"),
}


@pytest.mark.parametrize(("body", "said"), BROKEN.values(), ids=list(BROKEN))
def test_an_invalid_case_file_is_exit_code_4_with_file_line_and_advice(tmp_path: Path, body: str, said: str) -> None:
    path = write_case(tmp_path, body)
    write_case(tmp_path, ENDS, case_id="good")
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 4, done.screen
    assert f"{path}:" in done.screen
    assert said in done.screen
    assert done.shows_no_internals()


def test_all_invalid_files_are_named_at_once(tmp_path: Path) -> None:
    paths = [write_case(tmp_path, ENDS.replace("ends:", "end:"), case_id=name) for name in ("one", "two")]
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 4
    assert all(f"{path}:" in done.screen for path in paths)


def test_an_unknown_requirement_in_a_case_is_exit_code_4(tmp_path: Path) -> None:
    write_case(tmp_path, ENDS, requirement="SYN-99")
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 4
    assert "unknown requirement 'SYN-99'" in done.screen
    assert done.shows_no_internals()


def test_an_id_in_two_files_is_exit_code_4(tmp_path: Path) -> None:
    first = write_case(tmp_path, ENDS)
    second = first.with_name("zzz.yaml")
    second.write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 4
    assert f"{second}:4:5: the id 'the-case' is already used in {first}:4:5" in done.screen
    assert done.shows_no_internals()


@pytest.mark.parametrize("text", [None, "dependencies: []\n"], ids=["no register", "another tool's"])
def test_yaml_files_of_other_projects_in_a_folder_named_cases_are_not_collected(
    tmp_path: Path, text: str | None
) -> None:
    path = write_case(tmp_path, ENDS)
    path.with_name("requirements.yaml").unlink()
    if text is not None:
        path.with_name("requirements.yaml").write_text(text, "utf-8")
    (tmp_path / "cases" / "test_theirs.py").write_text("def test_it(): pass\n", "utf-8")
    done = run_pytest(*arguments_of(tmp_path))
    assert (done.code, "1 passed" in done.screen) == (0, True), done.screen
    done = run_command("run", str(path.parent))
    assert (done.code, "no cases found in" in done.screen) == (4, True), done.screen
    assert done.shows_no_internals()


def test_a_profile_with_an_unknown_placeholder_is_exit_code_4_without_a_traceback(tmp_path: Path) -> None:
    write_case(tmp_path, ENDS)
    profile = tmp_path / "own.yaml"
    text = (ROOT / "runner" / "profiles" / "oceanbase-oracle.yaml").read_text(encoding="utf-8")
    profile.write_text(
        text.replace("GRANT CREATE SESSION TO {user}", "GRANT CREATE SESSION TO {usr}"), encoding="utf-8"
    )
    done = run_pytest(*arguments_of(tmp_path), "--profile", str(profile))
    assert done.code == 4, done.screen
    assert done.shows_no_internals()


def test_a_profile_of_the_user_is_used(tmp_path: Path) -> None:
    write_case(tmp_path, ENDS)
    profile = tmp_path / "own.yaml"
    text = (ROOT / "runner" / "profiles" / "oceanbase-oracle.yaml").read_text(encoding="utf-8")
    title = "OceanBase Database, Oracle mode"
    assert title in text
    profile.write_text(text.replace(f"title: {title}", "title: the server under my desk"), encoding="utf-8")
    done = run_pytest(*arguments_of(tmp_path), "--profile", str(profile))
    assert done.code == 0
    assert "the server under my desk: conforms" in done.screen


def test_a_profile_without_the_oracle_mode_bit_is_exit_code_4_on_an_oracle_tenant_with_the_right_profile() -> None:
    done = run_pytest("cases/forms.yaml", "--profile", "mysql")
    assert done.code == 4
    assert "the tenant is in Oracle mode, and the profile is not for it: use --profile oceanbase-oracle" in done.screen


def test_a_profile_that_spells_a_guarded_statement_in_no_allowed_shape_is_refused_before_any_case(
    tmp_path: Path,
) -> None:
    profile = tmp_path / "mine.yaml"
    seekdb = (ROOT / "runner/profiles/seekdb.yaml").read_text("utf-8")
    profile.write_text(seekdb.replace("becomes: \"KILL '{id}'\"", 'becomes: "KILL (0x{id})"'), "utf-8")
    done = run_pytest("cases/forms.yaml", "--profile", str(profile))
    assert done.code == 4
    line = seekdb[: seekdb.index('becomes: "KILL')].count("\n") + 1
    assert f"{profile}:{line}:" in done.screen
    assert "is sent as 'KILL (0x1)' (also in " in done.screen
    assert "change the spelling" in done.screen
    assert done.shows_no_internals()
