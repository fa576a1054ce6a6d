"""The frozen values that valid case files are loaded into."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.language.case_files import case_files, is_case_file, load_cases
from runner.language.model import (
    Case,
    Connect,
    Create,
    Execute,
    ExpectedReply,
    KnownOutcome,
    Level,
    ListedSession,
    Receive,
    Repeat,
    Requirement,
    Send,
    SessionSpec,
    Wait,
)
from runner.language.placeholder_text import Hole, parse_template
from runner.language.problems import Place
from runner.language.register import find_register
from tests.language.case_texts import REGISTER, VALID, indented, load_one, load_step, one_case, write


def test_a_byte_order_mark_at_the_beginning_of_a_file_is_no_part_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, VALID)
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert {case.id for case in load_cases(path)} == {"first-case", "second-case"}


def test_a_case_contains_all_values_of_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
format: 1
about: one case
cases:
  - id: a-case
    requirement: MUS-1
    title: something holds
    note: because
    sessions:
      killer: {grants: [ALTER SYSTEM]}
      victim: {}
    table: [[1, 0], [2, -5]]
    steps:
      - killer: KILL '${victim.id}'
        reply: ok
    ends: [victim]
""",
    )
    assert load_cases(path) == [
        Case(
            id="a-case",
            requirement=Requirement("MUS-1", Level.MUST, "it must"),
            title="something holds",
            note="because",
            sessions=(SessionSpec("killer", grants=("ALTER SYSTEM",)), SessionSpec("victim")),
            table=((1, 0), (2, -5)),
            steps=(
                Send(
                    "killer",
                    parse_template("KILL '${victim.id}'"),
                    reply=(ExpectedReply("ok"),),
                    later=False,
                    prepared=False,
                    place=Place(path, 13, 9),
                ),
            ),
            ends=frozenset({"victim"}),
            outcomes=(),
            repeat=1,
            place=Place(path, 4, 5),
            vocabulary=find_register(path).vocabulary,
            label="",
        )
    ]


def test_the_file_that_other_tests_change_loads(tmp_path: Path) -> None:
    assert [case.name for case in load_cases(write(tmp_path, VALID))] == [
        "first-case",
        "second-case[with]",
        "second-case[without]",
    ]


SESSIONS = [
    ("{}", SessionSpec("s")),
    ("{user: administrator}", SessionSpec("s", same_user_as="administrator")),
    ("{user: first}", SessionSpec("s", same_user_as="first")),
    ("{user: mate}", SessionSpec("s", same_user_as="first")),
    ("{user: sys}", SessionSpec("s", same_user_as="administrator")),
    ("{grants: [ALTER SYSTEM, CREATE TABLE]}", SessionSpec("s", grants=("ALTER SYSTEM", "CREATE TABLE"))),
    ("{grants: []}", SessionSpec("s")),
    ("{connect: false}", SessionSpec("s", connect=False)),
    ("{connect: true}", SessionSpec("s")),
    ("{create: false}", SessionSpec("s", connect=False, create=False)),
    ("{create: true}", SessionSpec("s")),
    ("{user: first, connect: false}", SessionSpec("s", same_user_as="first", connect=False)),
]


@pytest.mark.parametrize(("said", "meant"), SESSIONS, ids=[said for said, _ in SESSIONS])
def test_a_session_is_read_as_written(tmp_path: Path, said: str, meant: SessionSpec) -> None:
    sessions = f"{{first: {{}}, mate: {{user: first}}, sys: {{user: administrator}}, s: {said}}}"
    case = load_one(tmp_path, "requirement: MUS-1\nsteps:\n  - first: SELECT 1", sessions)
    assert case.sessions[-1] == meant
    assert [spec.name for spec in case.sessions] == ["first", "mate", "sys", "s"]


def test_file_level_sessions_apply_to_cases_without_sessions(tmp_path: Path) -> None:
    text = one_case("requirement: MUS-1\nsteps:\n  - killer: SELECT 1") + indented(
        "- {id: b, requirement: MUS-1, title: t, sessions: {alone: {}}, steps: [{alone: SELECT 1}]}", 2
    )
    shared, own = load_cases(write(tmp_path, text))
    assert [spec.name for spec in shared.sessions] == ["killer", "victim"]
    assert [spec.name for spec in own.sessions] == ["alone"]


STATEMENT = parse_template("SELECT 1")
HERE = Place(Path("file.yaml"))

STEPS = [
    ("- killer: SELECT 1", Send("killer", STATEMENT, (), later=False, prepared=False, place=HERE)),
    (
        "- killer: SELECT 1\n  prepared: true",
        Send("killer", STATEMENT, (), later=False, prepared=True, place=HERE),
    ),
    (
        "- killer: SELECT 1\n  prepared: false\n  reply: rows",
        Send("killer", STATEMENT, (ExpectedReply("rows"),), later=False, prepared=False, place=HERE),
    ),
    ("- killer: SELECT 1\n  reply: later", Send("killer", STATEMENT, (), later=True, prepared=False, place=HERE)),
    ("- wait: {victim: running}", Wait("victim", "running", HERE)),
    ("- wait: {victim: blocked}", Wait("victim", "blocked", HERE)),
    ("- wait: {victim: gone}", Wait("victim", "gone", HERE)),
    ("- connect: victim", Connect("victim", (), None, HERE)),
    ("- connect: victim\n  reply: privilege", Connect("victim", (ExpectedReply("privilege"),), None, HERE)),
    (
        "- connect: victim\n  reply: ok\n  id_differs_from: killer",
        Connect("victim", (ExpectedReply("ok"),), "killer", HERE),
    ),
    (
        "- connect: victim\n  as: ${victim.lower_user}",
        Connect("victim", (), None, HERE, parse_template("${victim.lower_user}")),
    ),
]


@pytest.mark.parametrize(("said", "meant"), STEPS, ids=[said for said, _ in STEPS])
def test_a_step_is_read_as_written(tmp_path: Path, said: str, meant: Send | Receive | Wait | Connect) -> None:
    step = load_step(tmp_path, said)
    assert vars(step) | {"place": HERE} == vars(meant)
    assert type(step) is type(meant)
    assert (step.place.line, step.place.column) == (10, 9)


@pytest.mark.parametrize(("reply", "meant"), [("", ()), (", reply: error", (ExpectedReply("error"),))])
def test_a_receive_step_is_read_as_written(tmp_path: Path, reply: str, meant: tuple[ExpectedReply, ...]) -> None:
    steps = f"steps:\n  - {{victim: SELECT 1, reply: later}}\n  - {{receive: victim{reply}}}"
    step = load_one(tmp_path, f"requirement: MUS-1\n{steps}").steps[1]
    assert vars(step) | {"place": HERE} == vars(Receive("victim", meant, HERE))


REPLIES = [
    *[(word, (ExpectedReply(word),)) for word in ("ok", "rows", "success", "error", "same-error", "connection-lost")],
    ("privilege", (ExpectedReply("privilege"),)),
    ("[ok, connection-lost, syntax]", (ExpectedReply("ok"), ExpectedReply("connection-lost"), ExpectedReply("syntax"))),
    ("{ok: {affected: 0}}", (ExpectedReply("ok", affected=0),)),
    ("{ok: {affected: 2, warnings: 1}}", (ExpectedReply("ok", affected=2, warnings=1),)),
    ("{ok: {warnings: 0}}", (ExpectedReply("ok", warnings=0),)),
    (
        '{rows: {values: [["1", null], [2, x]]}}',
        (ExpectedReply("rows", values=((parse_template("1"), None), (parse_template("2"), parse_template("x")))),),
    ),
    ("{rows: {values: []}}", (ExpectedReply("rows", values=()),)),
    ("{rows: {columns: [ID, USER]}}", (ExpectedReply("rows", columns=("ID", "USER")),)),
    ("{rows: {sessions: {victim: {}}}}", (ExpectedReply("rows", listed=(ListedSession("victim", ()),)),)),
    (
        '{rows: {sessions: {victim: {USER: "${victim.user}", INFO: null, TIME: 0}}}}',
        (
            ExpectedReply(
                "rows",
                listed=(
                    ListedSession(
                        "victim",
                        (("USER", parse_template("${victim.user}")), ("INFO", None), ("TIME", parse_template("0"))),
                    ),
                ),
            ),
        ),
    ),
    ("[{ok: {affected: 1}}, error]", (ExpectedReply("ok", affected=1), ExpectedReply("error"))),
]


@pytest.mark.parametrize(("said", "meant"), REPLIES, ids=[said for said, _ in REPLIES])
def test_a_reply_is_read_as_written(tmp_path: Path, said: str, meant: tuple[ExpectedReply, ...]) -> None:
    step = load_step(tmp_path, f"- killer: SELECT 1\n  reply: {said}")
    assert isinstance(step, Send)
    assert step.reply == meant


HOLES = [
    ("${victim.id}", Hole("victim.id", session="victim", part="id")),
    ("${ victim.id }", Hole("victim.id", session="victim", part="id")),
    ("${victim.id + 65536}", Hole("victim.id + 65536", session="victim", part="id", plus=65536)),
    ("${victim.id+1}", Hole("victim.id+1", session="victim", part="id", plus=1)),
    ("${victim.id / 10}", Hole("victim.id / 10", session="victim", part="id", over=10)),
    ("${victim.user}", Hole("victim.user", session="victim", part="user")),
    ("${victim.lower_user}", Hole("victim.lower_user", session="victim", part="lower_user")),
    ("${victim.password}", Hole("victim.password", session="victim", part="password")),
    ("${unused 1}", Hole("unused 1", unused=True, number=1)),
    ("${unused victim.id}", Hole("unused victim.id", unused=True, session="victim", part="id")),
    (
        "${unused victim.id + 1000}",
        Hole("unused victim.id + 1000", unused=True, session="victim", part="id", plus=1000),
    ),
    ("${table}", Hole("table", word="table")),
    ("${role}", Hole("role", word="role")),
    ("${begin}", Hole("begin", word="begin")),
    ("${sleep}", Hole("sleep", word="sleep")),
]


@pytest.mark.parametrize(("said", "meant"), HOLES, ids=[said for said, _ in HOLES])
def test_a_placeholder_is_read_as_written(tmp_path: Path, said: str, meant: Hole) -> None:
    step = load_step(tmp_path, f"- killer: a {said} b")
    assert isinstance(step, Send)
    assert step.statement.pieces == ("a ", meant, " b")
    assert step.statement.text == f"a {said} b"


NAMED = [
    ("KILL '${victim.id}'", {"victim"}),
    ("KILL '${victim.id}, ${killer.id}'", {"victim", "killer"}),
    ("KILL '${victim.id + 1}'", set()),
    ("KILL '${victim.id / 10}'", set()),
    ("KILL '${unused victim.id}'", set()),
    ("'${victim.user}'", set()),
    ("NOBODY", set()),
]


@pytest.mark.parametrize(("statement", "named"), NAMED, ids=[said for said, _ in NAMED])
def test_only_a_session_whose_unchanged_id_a_statement_contains_is_named(
    tmp_path: Path, statement: str, named: set[str]
) -> None:
    case = load_one(tmp_path, f'requirement: MUS-1\nsteps:\n  - killer: "{statement}"')
    assert case.named_or_may_end == named


def test_sessions_that_may_end_are_those_of_ends_and_of_any_outcome(tmp_path: Path) -> None:
    body = "steps:\n  - killer: SELECT 1\n    reply: observed\n"
    claims = load_one(tmp_path, "requirement: MUS-1\nends: [victim]\n" + body.replace("observed", "ok"))
    observes = load_one(
        tmp_path, "requirement: OBS-1\nobserve: {a: {ends: [victim]}, b: {ends: [killer]}, c: {}}\n" + body
    )
    assert claims.may_end == {"victim"}
    assert observes.may_end == {"victim", "killer"}


PARAMETERS = [
    ("{how: [a, b]}", {"a": "a", "b": "b"}),
    ("{how: [12, 013]}", {"12": "12", "013": "013"}),
    ("{how: {one: x y, two: 2}}", {"one": "x y", "two": "2"}),
    ("{how: [x y, 'p[q]r']}", {"x_y": "x y", "p_q_r": "p[q]r"}),
    ('{how: {empty: "", full: z}}', {"empty": "", "full": "z"}),
]


@pytest.mark.parametrize(("said", "meant"), PARAMETERS, ids=[said for said, _ in PARAMETERS])
def test_a_parameter_makes_a_case_of_each_value_under_its_label(
    tmp_path: Path, said: str, meant: dict[str, str]
) -> None:
    body = f"requirement: MUS-1\nparameters: {said}\nsteps:\n  - killer: SELECT ${{how}}."
    cases = load_cases(write(tmp_path, one_case(body)))
    assert {case.name: [step.statement.text for step in case.steps if isinstance(step, Send)] for case in cases} == {
        f"the-case[{label}]": [f"SELECT {value}."] for label, value in meant.items()
    }
    assert [case.label for case in cases] == list(meant)


def test_several_parameters_make_every_combination_in_the_order_of_the_file(tmp_path: Path) -> None:
    body = "requirement: MUS-1\nparameters: {one: [a, b], two: {x: 1, y: 2}}\nsteps:\n  - killer: SELECT ${one}${two}"
    cases = load_cases(write(tmp_path, one_case(body)))
    assert [case.label for case in cases] == ["a-x", "a-y", "b-x", "b-y"]
    assert [step.statement.text for case in cases for step in case.steps if isinstance(step, Send)] == [
        "SELECT a1",
        "SELECT a2",
        "SELECT b1",
        "SELECT b2",
    ]


def test_a_parameter_is_filled_in_wherever_a_case_has_text(tmp_path: Path) -> None:
    text = """\
format: 1
cases:
  - id: everywhere
    requirement: OBS-1
    title: ${who} in the title
    note: ${who} in the note
    parameters: {who: {the-label: victim}}
    sessions:
      killer: {grants: ["GRANT ${who}"]}
      victim: {}
      mate: {user: "${who}"}
    steps:
      - ${who}: KILL ${who.id}
        reply: later
      - receive: ${who}
        reply: {rows: {values: [["${who}"]], columns: ["${who}"], sessions: {"${who}": {USER: "${who}"}}}}
      - wait: {"${who}": gone}
      - connect: ${who}
        id_differs_from: ${who}
        reply: observed
    observe:
      "${who} ends": {ends: ["${who}"]}
"""
    (case,) = load_cases(write(tmp_path, text))
    said, awaited, waited, connected = case.steps
    assert (case.title, case.note) == ("the label in the title", "victim in the note")
    assert case.sessions[0].grants == ("GRANT victim",)
    assert case.sessions[2].same_user_as == "victim"
    assert isinstance(said, Send)
    assert (said.session, said.statement.text) == ("victim", "KILL ${victim.id}")
    assert isinstance(awaited, Receive)
    listed = (ListedSession("victim", (("USER", parse_template("victim")),)),)
    values = ((parse_template("victim"),),)
    assert awaited.reply == (ExpectedReply("rows", values=values, columns=("victim",), listed=listed),)
    assert isinstance(waited, Wait)
    assert waited.session == "victim"
    assert isinstance(connected, Connect)
    assert (connected.session, connected.id_differs_from) == ("victim", "victim")
    assert case.outcomes == (KnownOutcome("victim ends", (), frozenset({"victim"})),)


OUTCOMES = [
    ("{}", KnownOutcome("seen", (), None)),
    ("{reply: ok}", KnownOutcome("seen", (ExpectedReply("ok"),), None)),
    (
        "{reply: [ok, error], ends: []}",
        KnownOutcome("seen", (ExpectedReply("ok"), ExpectedReply("error")), frozenset()),
    ),
    ("{ends: [victim]}", KnownOutcome("seen", (), frozenset({"victim"}))),
    ("{ends: [victim], connection: closed}", KnownOutcome("seen", (), frozenset({"victim"}), "closed")),
    ("{connection: reset}", KnownOutcome("seen", (), None, "reset")),
    ("{connection: error}", KnownOutcome("seen", (), None, "error")),
]


@pytest.mark.parametrize(("said", "meant"), OUTCOMES, ids=[said for said, _ in OUTCOMES])
def test_an_outcome_is_read_as_written(tmp_path: Path, said: str, meant: KnownOutcome) -> None:
    body = f"requirement: OBS-1\nrepeat: 7\nsteps:\n  - killer: x\n    reply: observed\nobserve:\n  seen: {said}"
    case = load_one(tmp_path, body)
    assert case.outcomes == (meant,)
    assert case.repeat == 7


TEXTS = ["on", "off", "yes", "no", "y", "n", "00000", "0012", "12e3", "1_000", "0x10", "0o17", "1:30", "1.5", ".inf"]
TEXTS += ["2020-01-01", "True", "FALSE", "Null", "NULL", "+1", "-0", "=", "<<", "12345678901234567890"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_yaml_1_1_would_convert_is_kept_as_written(tmp_path: Path, text: str) -> None:
    body = f"requirement: MUS-1\nparameters: {{how: [{text}]}}\nsteps:\n  - killer: SELECT ${{how}}"
    case = load_one(tmp_path, body)
    step = case.steps[0]
    assert isinstance(step, Send)
    assert step.statement.text == f"SELECT {text}"
    assert case.label == text


@pytest.mark.parametrize(
    "text", [text for text in TEXTS if text not in {"12345678901234567890", "on", "off", "yes", "no"}]
)
def test_text_that_yaml_1_1_would_convert_is_a_valid_statement(tmp_path: Path, text: str) -> None:
    step = load_step(tmp_path, f"- killer: {text}")
    assert isinstance(step, Send)
    assert step.statement.text == text


@pytest.mark.parametrize("name", ["on", "off", "yes", "no", "y", "n"])
def test_a_session_can_have_a_name_that_yaml_1_1_would_convert_to_a_boolean(tmp_path: Path, name: str) -> None:
    case = load_one(tmp_path, f"requirement: MUS-1\nsteps:\n  - {name}: SELECT 1\nends: [{name}]", f"{{{name}: {{}}}}")
    assert case.ends == {name}


ENCODINGS = {
    "with a byte order mark": b"\xef\xbb\xbf" + VALID.encode(),
    "with Windows line ends": VALID.replace("\n", "\r\n").encode(),
    "without a line end at the end": VALID.rstrip("\n").encode(),
    "with letters of every kind": VALID.replace("something", "\u00e4\u4e2d\U0001f600").encode(),
}


@pytest.mark.parametrize("content", ENCODINGS.values(), ids=list(ENCODINGS))
def test_a_file_loads_with_a_byte_order_mark_windows_line_ends_or_unicode_letters(
    tmp_path: Path, content: bytes
) -> None:
    assert [case.id for case in load_cases(write(tmp_path, content))] == ["first-case", "second-case", "second-case"]


def test_the_register_may_be_in_a_folder_above(tmp_path: Path) -> None:
    write(tmp_path, "", name="nothing.txt")
    below = tmp_path / "cases" / "more" / "deep"
    below.mkdir(parents=True)
    (below / "file.yaml").write_text(VALID, encoding="utf-8")
    assert load_cases(below / "file.yaml")[0].requirement.text == "it must"


def test_the_nearest_register_counts(tmp_path: Path) -> None:
    path = write(tmp_path, VALID)
    below = path.parent / "more"
    below.mkdir()
    (below / "requirements.yaml").write_text(REGISTER.replace("it must", "it must, here"), encoding="utf-8")
    (below / "file.yaml").write_text(VALID, encoding="utf-8")
    assert load_cases(below / "file.yaml")[0].requirement.text == "it must, here"


@pytest.mark.parametrize("folder", ["cases", "my-statement"])
def test_case_files_are_the_yaml_files_below_a_register_that_are_of_no_other_kind(tmp_path: Path, folder: str) -> None:
    others = {
        "requirements.yaml": REGISTER,
        "profile.yaml": "format: 1\nname: mine\ntitle: Mine\nextends: mysql\n",
        "known.yaml": "format: 1\ndeviations: []\n",
        "notes.txt": VALID,
        "d.yml": VALID,
    }
    for name, text in {"b.yaml": VALID, "a.yaml": "half a file", "more/c.yaml": VALID, **others}.items():
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert case_files(tmp_path) == [tmp_path / folder / name for name in ("a.yaml", "b.yaml", "more/c.yaml")]


def test_a_yaml_file_without_a_register_above_it_is_no_case_file(tmp_path: Path) -> None:
    path = tmp_path / "cases" / "x.yaml"
    path.parent.mkdir()
    path.write_text(VALID, encoding="utf-8")
    (path.parent / "requirements.yaml").write_text("collections:\n  - name: a register of another tool\n", "utf-8")
    assert not is_case_file(path)


def test_steps_can_be_repeated(tmp_path: Path) -> None:
    step = load_step(tmp_path, "- repeat: 3\n  steps:\n    - connect: victim\n    - victim: KILL '${victim.id}'")
    assert isinstance(step, Repeat)
    assert step.times == 3
    connect, say = step.steps
    assert isinstance(connect, Connect)
    assert isinstance(say, Send)
    assert (connect.session, say.session) == ("victim", "victim")


def test_repeated_steps_name_sessions_like_other_steps(tmp_path: Path) -> None:
    body = "requirement: MUS-1\nsteps:\n  - repeat: 2\n    steps:\n      - killer: KILL '${victim.id}'"
    assert load_one(tmp_path, body).named_or_may_end == {"victim"}


def test_a_statement_is_prepared_now_and_executed_later(tmp_path: Path) -> None:
    body = (
        "requirement: MUS-1\nsteps:\n  - {killer: \"KILL '${victim.id}'\", prepare: true}\n"
        "  - {execute: killer, reply: ok}\nends: [victim]"
    )
    say, execute = load_one(tmp_path, body).steps
    assert isinstance(say, Send)
    assert (say.prepares, say.prepared, say.reply) == (True, False, ())
    assert isinstance(execute, Execute)
    assert (execute.session, execute.reply) == ("killer", (ExpectedReply("ok"),))


def test_a_user_is_created_by_a_step(tmp_path: Path) -> None:
    step = load_step(tmp_path, "- create: victim")
    assert isinstance(step, Create)
    assert step.session == "victim"


def test_a_user_name_can_extend_the_name_of_another_user(tmp_path: Path) -> None:
    body = "requirement: MUS-1\nsteps:\n  - killer: SELECT 1"
    case = load_one(tmp_path, body, "{killer: {}, other: {name_extends: killer}}")
    assert [spec.name_extends for spec in case.sessions] == [None, "killer"]


def test_a_user_name_can_be_quoted_or_another_users_name_in_small_letters(tmp_path: Path) -> None:
    body = "requirement: MUS-1\nsteps:\n  - killer: SELECT 1"
    sessions = "{killer: {}, mate: {user: killer}, small: {quoted: true}, like: {quoted: mate}}"
    specs = load_one(tmp_path, body, sessions).sessions
    assert [(spec.quoted, spec.small_letters_of) for spec in specs] == [
        (False, None),
        (False, None),
        (True, None),
        (True, "killer"),
    ]
