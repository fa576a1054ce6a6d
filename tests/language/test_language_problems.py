"""What the loader says about files that are not in the language: where, what, and what to do.

In the texts, @@ marks the place that the error has to name; it is not part of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from language_files import REGISTER, VALID, one_case, write

from runner.language.load import load_cases, refuse_duplicates
from runner.language.problems import Place, SourceError
from runner.language.register import find_register


@dataclass(frozen=True)
class Bad:
    """A file that must not load; ``what`` and ``hint`` are parts of what is said about it."""

    name: str
    text: str
    what: str
    hint: str = ""


def step(text: str, requirement: str = "MUS-1") -> str:
    return one_case(f"requirement: {requirement}\nsteps:\n  - killer: SELECT 1\n  - {text}")


def body(text: str, requirement: str = "MUS-1") -> str:
    return one_case(f"requirement: {requirement}\n{text}\nsteps:\n  - killer: SELECT 1")


def observing(text: str, reply: str = "any") -> str:
    return one_case(f"requirement: OBS-1\nsteps:\n  - killer: SELECT 1\n    reply: {reply}\nobserve:\n  {text}")


def sessions(text: str) -> str:
    return one_case("requirement: MUS-1\nsteps:\n  - killer: SELECT 1", text)


UNKNOWN_KEYS = [
    Bad("in the file", VALID + "@@case: []\n", "unknown key 'case'", "did you mean 'cases'?"),
    Bad("in a session", sessions("{killer: {@@grant: [x]}}"), "unknown key 'grant'", "did you mean 'grants'?"),
    Bad("in a case", body("@@step: []"), "unknown key 'step'", "did you mean 'steps'?"),
    Bad("in a case, far off", body("@@zzz: []"), "unknown key 'zzz'", "known names: alone, combine, ends, id"),
    Bad("in its sessions", body("sessions: {killer: {@@usr: x}}"), "unknown key 'usr'", "did you mean 'user'?"),
    Bad("in a reply", step("{killer: x, reply: {@@row: {}}}"), "unknown key 'row'", "did you mean 'rows'?"),
    Bad("in an alternative", step("{killer: x, reply: [{@@okay: {}}]}"), "unknown key 'okay'", "did you mean 'ok'?"),
    Bad("in ok", step("{killer: x, reply: {ok: {@@affect: 1}}}"), "unknown key 'affect'", "mean 'affected'?"),
    Bad("in rows", step("{killer: x, reply: {rows: {@@value: []}}}"), "unknown key 'value'", "mean 'values'?"),
    Bad("in an outcome", observing("seen: {@@end: []}"), "unknown key 'end'", "did you mean 'ends'?"),
    Bad("in an outcome's reply", observing("s: {reply: {@@rws: {}}}"), "unknown key 'rws'", "mean 'rows'?"),
]

UNKNOWN_NAMES = [
    Bad("who speaks", step("@@kiler: SELECT 1"), "unknown session 'kiler'", "did you mean 'killer'?"),
    Bad("a misspelt await", step("@@awaits: killer"), "unknown session 'awaits'", "did you mean 'await'?"),
    Bad("who is awaited", step("@@await: victm"), "unknown session 'victm'", "did you mean 'victim'?"),
    Bad("who is waited for", step("wait: {@@victm: gone}"), "unknown session 'victm'", "mean 'victim'?"),
    Bad("who executes", step("@@execute: victm"), "unknown session 'victm'", "did you mean 'victim'?"),
    Bad("who is created", step("@@create: victm"), "unknown session 'victm'", "did you mean 'victim'?"),
    Bad("who connects", step("@@connect: victm"), "unknown session 'victm'", "did you mean 'victim'?"),
    Bad(
        "whose id was another",
        step("{connect: victim, @@new_id_than: kiler}"),
        "unknown session 'kiler'",
        "did you mean 'killer'?",
    ),
    Bad("who ends", body("@@ends: [victm]"), "unknown session 'victm'", "did you mean 'victim'?"),
    Bad("who ends in an outcome", observing("s: {@@ends: [victm]}"), "unknown session 'victm'", "mean 'victim'?"),
    Bad("whose id", step("@@killer: KILL '${victm.id}'"), "unknown session 'victm'", "mean 'victim'?"),
    Bad(
        "whose unused id",
        step("@@killer: x ${unused zzz.id}"),
        "unknown session 'zzz'",
        "known names: abort, as, await, connect, create, disconnect",
    ),
    Bad(
        "whose row",
        step("{killer: x, @@reply: {rows: {sessions: {victm: {}}}}}"),
        "unknown session 'victm'",
        "did you mean 'victim'?",
    ),
    Bad(
        "whose user in a value",
        step('{killer: x, @@reply: {rows: {values: [["${victm.user}"]]}}}'),
        "unknown session 'victm'",
        "did you mean 'victim'?",
    ),
    Bad(
        "whose user in a row",
        step('{killer: x, @@reply: {rows: {sessions: {victim: {A: "${victm.user}"}}}}}'),
        "unknown session 'victm'",
        "did you mean 'victim'?",
    ),
    Bad(
        "whose user",
        sessions("{killer: {}, victim: {@@user: kiler}}"),
        "there is no earlier session 'kiler'",
        "did you mean 'killer'?",
    ),
    Bad(
        "whose user, with a later session",
        sessions("{killer: {@@user: victim}, victim: {}}"),
        "there is no earlier session 'victim'",
        "administrator",
    ),
    Bad(
        "whose user, in the case",
        body("sessions: {killer: {@@user: administrater}}"),
        "there is no earlier session 'administrater'",
        "did you mean 'administrator'?",
    ),
    Bad("a reply", step("{killer: x, @@reply: okay}"), "unknown reply 'okay'", "did you mean 'ok'?"),
    Bad("an error class", step("{killer: x, @@reply: syntx}"), "unknown reply 'syntx'", "mean 'syntax'?"),
    Bad("an outcome's reply", observing("s: {@@reply: okay}"), "unknown reply 'okay'", "did you mean 'ok'?"),
    Bad("a word", step("@@killer: ${slep}"), "unknown name ${slep}", "did you mean 'sleep'?"),
    Bad("unused without a number", step("@@killer: ${unused}"), "unknown name ${unused}", "known names"),
    Bad("a parameter", step("@@killer: ${how}"), "unknown name ${how}", "known names: begin, role, sleep, table"),
    Bad(
        "a misspelt parameter",
        one_case("requirement: MUS-1\nparameters: {statement: [x]}\nsteps:\n  - @@killer: ${statment}"),
        "unknown name ${statment}",
        "did you mean 'statement'?",
    ),
    Bad("${table} without a table", step("@@killer: ${table}"), "the case has no table", "table: [[1, 0]]"),
    Bad("a requirement", body("", "@@MUS-2").replace("requirement: @@", "@@requirement: "), "'MUS-2'", "'MUS-1'"),
]

HOLES = [
    Bad(f"${{{inside}}}", step(f"@@killer: 'a ${{{inside}}} b'"), f"${{{inside}}} is not", "docs/case-language.md")
    for inside in ("", " ", "victim.", "victim.name", "victim.id - 1", "victim.id + x", "unused sleep")
] + [
    Bad("a word with a sum", step("@@killer: ${sleep + 1}"), "${sleep + 1} is not", "docs/case-language.md"),
    Bad("capitals", step("@@killer: ${Victim.id}"), "${Victim.id} is not", "docs/case-language.md"),
    Bad("never closed", step("@@killer: x ${victim.id"), "'${' is never closed", "docs/case-language.md"),
    Bad("second never closed", step("@@killer: ${victim.id} ${"), "'${' is never closed", "docs/case-language.md"),
    Bad("closed by the next", step("@@killer: ${victim.id ${sleep}"), "${victim.id ${sleep} is not", "docs/"),
]

STEPS = [
    Bad("no verb", step("@@reply: ok"), "a step does one thing; this one does nothing", "await, connect, create"),
    Bad("two speakers", step("{killer: x, @@victim: y}"), "this one does 2", "a session's name with its statement"),
    Bad("speaker and await", step("{@@killer: x, await: victim}"), "this one does 2", "await, connect, create"),
    Bad("three verbs", step("{await: killer, @@wait: {victim: gone}, connect: victim}"), "this one does 3"),
    Bad("wait and reply", step("{wait: {victim: gone}, @@reply: ok}"), "'reply' can't be combined with 'wait'"),
    Bad("await and prepared", step("{await: victim, @@prepared: true}"), "'prepared' can't be combined with 'await'"),
    Bad(
        "connect and prepared",
        step("{connect: victim, @@prepared: true}"),
        "'prepared' can't be combined with 'connect'",
    ),
    Bad(
        "speaker and new_id_than",
        step("{killer: x, @@new_id_than: victim}"),
        "'new_id_than' can't be combined with 'killer'",
    ),
    Bad("await and later", step("{await: victim, @@reply: later}"), "the reply 'later' is not allowed here"),
    Bad("connect and later", step("{connect: victim, @@reply: later}"), "the reply 'later' is not allowed here"),
    Bad(
        "any in a case that claims",
        step("{killer: x, reply: any}").replace("steps:", "@@steps:"),
        "which can't fail",
        "allowed replies",
    ),
    Bad("nothing to repeat", step("@@repeat: 3"), "there are no steps to repeat", "add steps"),
    Bad("steps without repeat", step("{killer: x, @@steps: [{killer: y}]}"), "'steps' can't be combined with 'killer'"),
    Bad(
        "repeat and reply",
        step("{repeat: 3, steps: [{killer: y}], @@reply: ok}"),
        "'reply' can't be combined with 'repeat'",
    ),
    Bad("a repeated step", step("{repeat: 3, steps: [{@@kiler: y}]}"), "unknown session 'kiler'", "'killer'"),
    Bad(
        "any in what is repeated",
        one_case(
            "requirement: OBS-1\nsteps:\n  - {repeat: 2, @@steps: [{killer: x, reply: any}]}\nobserve: {s: {reply: ok}}"
        ),
        "a repeated step has reply: any",
        "behind the repeat",
    ),
    Bad(
        "prepare and later",
        step("{killer: x, @@prepare: true, reply: later}"),
        "a statement that is only prepared",
        "remove prepared",
    ),
    Bad(
        "prepare and prepared",
        step("{killer: x, @@prepare: true, prepared: true}"),
        "a statement that is only prepared",
        "remove prepared",
    ),
    Bad("execute of nothing", step("@@execute: killer"), "killer has no prepared statement", "prepare: true"),
    Bad(
        "execute after a new login",
        step("{killer: x, prepare: true}\n  - connect: killer\n  - @@execute: killer"),
        "killer has no prepared statement",
        "prepare: true",
    ),
    Bad("create and reply", step("{create: killer, @@reply: ok}"), "'reply' can't be combined with 'create'"),
    Bad("later among others", step("{killer: x, @@reply: [ok, later]}"), "the reply 'later' is not allowed here"),
]

OBSERVING = [
    Bad(
        "observe, where it must",
        one_case("requirement: MUS-1\nsteps:\n  - killer: x\n    reply: any\n@@observe: {s: {reply: ok}}"),
        "the requirement's level is must, and the case has observe",
        "other cases claim replies and ends",
    ),
    Bad(
        "observe, where it should",
        one_case("requirement: SHO-1\nsteps:\n  - killer: x\n    reply: any\n@@observe: {s: {reply: ok}}"),
        "the requirement's level is should, and the case has observe",
        "other cases claim replies and ends",
    ),
    Bad(
        "no observe",
        one_case("@@requirement: OBS-1\nsteps:\n  - killer: x"),
        "the requirement's level is observe, and the case has no observe",
        "under observe",
    ),
    Bad("repeat without observe", body("@@repeat: 2"), "only a case of level observe can repeat", "use parameters"),
    Bad(
        "ends beside observe",
        one_case("requirement: OBS-1\nsteps:\n  - killer: x\n@@ends: [victim]\nobserve: {s: {ends: [victim]}}"),
        "a case of level observe lists the ended sessions in its outcomes",
        "move it there",
    ),
    Bad("nobody asked", observing("s: {reply: ok}", "error").replace("observe:", "@@observe:"), "0 steps have", "one"),
    Bad(
        "two asked",
        one_case(
            "requirement: OBS-1\nsteps:\n  - {killer: x, reply: any}\n  - {killer: x, reply: any}\n"
            "@@observe: {s: {reply: ok}}"
        ),
        "2 steps have reply: any",
        "exactly one step needs it",
    ),
]

TAKEN = "the word is reserved"

SESSIONS = [
    Bad("a step's word", sessions("{@@wait: {}}"), "a session can't have the name 'wait'", TAKEN),
    Bad("another word", sessions("{killer: {}, @@reply: {}}"), "a session can't have the name 'reply'", TAKEN),
    Bad("the administrator", sessions("{@@administrator: {}}"), "a session can't have the name 'administrator'", TAKEN),
    Bad(
        "a mate with grants",
        sessions("{killer: {}, @@victim: {user: killer, grants: [x]}}"),
        "a session of an existing user has no grants",
        "move them to 'killer'",
    ),
    Bad(
        "a mate to create",
        sessions("{killer: {}, @@victim: {user: killer, create: false}}"),
        "a session of an existing user",
        "'killer'",
    ),
    Bad(
        "a mate with a name",
        sessions("{killer: {}, @@victim: {user: killer, name_extends: killer}}"),
        "a session of an existing user",
        "'killer'",
    ),
    Bad(
        "a name like nobody's",
        sessions("{killer: {}, victim: {@@name_extends: kiler}}"),
        "there is no earlier session 'kiler' with a user of the case",
        "did you mean 'killer'?",
    ),
    Bad(
        "a name like the administrator's",
        sessions("{killer: {}, sys: {user: administrator}, victim: {@@name_extends: sys}}"),
        "there is no earlier session 'sys' with a user of the case",
        "known names",
    ),
    Bad(
        "none at all",
        "format: 1\ncases:\n  - @@{id: a, requirement: MUS-1, title: t, steps: [{killer: x}]}\n",
        "the case has no sessions",
        "define them in the case",
    ),
]

YAML = [
    Bad("a tab", VALID.replace("    title", "@@\ttitle", 1), "broken YAML", "indentation"),
    Bad("indentation", VALID.replace("    requirement", "   @@requirement", 1), "broken YAML", "indentation"),
    Bad("an unknown alias", VALID.replace("[[1, 0]]", "@@*rows"), "broken YAML: found undefined alias"),
    Bad("a second document", VALID + "@@---\nformat: 1\n", "broken YAML", ""),
    Bad("a colon", VALID.replace("something holds", "this@@: that"), "broken YAML", ""),
    Bad(
        "an unknown tag",
        VALID.replace("something holds", "@@!mine x"),
        "tag '!mine' is not supported",
        "remove the tag",
    ),
    Bad(
        "a dangerous tag",
        VALID.replace("something holds", "@@!!python/name:os.system x"),
        "is not supported",
        "remove the tag",
    ),
    Bad("a key twice", VALID.replace("    steps", "    @@id: again\n    steps", 1), "'id' is duplicate", "keep one"),
    Bad("a key twice in braces", sessions("{killer: {}, @@killer: {}}"), "'killer' is duplicate", "keep one"),
    Bad("a key twice in the file", VALID + "@@format: 1\n", "the key 'format' is duplicate", "keep one"),
    Bad("an empty file", "@@", "expected a mapping", "One file of conformance cases"),
    Bad("only a comment", "@@# nothing yet\n", "expected a mapping", "One file of conformance cases"),
    Bad("a list", "@@- id: a\n", "expected a mapping", "One file of conformance cases"),
    Bad("a word", "@@hello\n", "expected a mapping", "One file of conformance cases"),
    Bad("itself", "@@&all [*all]\n", "nested too deeply", ""),
    Bad("a null byte", "@@format: 1\nabout: \0\n", "broken YAML", "plain text"),
    Bad("a list as a key", VALID.replace("    steps", "    ? @@[a]\n    : b\n    steps", 1), "unknown key", ""),
]

TYPES = [
    Bad("format", VALID.replace("format: 1", "@@format: one"), "expected a whole number", "version"),
    Bad("format yes", VALID.replace("format: 1", "@@format: true"), "expected a whole number", "version"),
    Bad("a newer format", VALID.replace("format: 1", "@@format: 2"), "unknown format 2", "reads format 1"),
    Bad("no format", VALID.replace("format: 1\n", "@@"), "the key 'format' is missing", "version"),
    Bad("no cases", "@@format: 1\n", "the key 'cases' is missing", "in the order in which they run"),
    Bad("no case", "format: 1\n@@cases: []\n", "must not be empty", "The cases"),
    Bad("cases", "format: 1\n@@cases: {a: {}}\n", "expected a list", "The cases"),
    Bad("a case", "format: 1\ncases:\n  - @@one\n", "expected a mapping", ""),
    Bad("no steps", VALID.replace("    steps", "    note", 1).replace("- id: f", "- @@id: f"), "'steps' is missing"),
    Bad("no id", VALID.replace("- id: first-case\n    r", "- @@r"), "the key 'id' is missing", "unique in all files"),
    Bad("an id", VALID.replace("id: first-case", "@@id: First_Case"), "it must match", "lower case words"),
    Bad("a title", VALID.replace("title: something holds", "@@title: 5"), "5 doesn't fit: expected text", "sentence"),
    Bad("an empty title", VALID.replace("title: something holds", "@@title: ''"), "must not be empty", "sentence"),
    Bad("no title", VALID.replace("title: something holds", "@@title:"), "null doesn't fit: expected text"),
    Bad("requirement", VALID.replace("requirement: MUS-1", "@@requirement: MUST"), "it must match", "such as PUR-1"),
    Bad("ends", VALID.replace("    ends: [victim]", "    @@ends: victim", 1), "expected a list", "gone at the end"),
    Bad("table", VALID.replace("table: [[1, 0]]", "table:\n      - @@[1]"), "must not be empty"),
    Bad("a table of text", VALID.replace("table: [[1, 0]]", "table:\n      - [@@a, 1]"), "expected a whole number"),
    Bad("repeat", VALID.replace("repeat: 2", "@@repeat: 0"), "0", "counts the outcomes"),
    Bad("too much repeat", VALID.replace("repeat: 2", "@@repeat: 101"), "101", "counts the outcomes"),
    Bad("no steps in the list", one_case("requirement: MUS-1\n@@steps: []"), "must not be empty", "in this order"),
    Bad("a step", step("@@SELECT 1"), "expected a mapping", "One action"),
    Bad("a statement", step("@@killer: {a: b}"), "expected text", "The statement"),
    Bad("an empty statement", step("@@killer: ''"), "must not be empty", "The statement"),
    Bad("prepared", step("{killer: x, @@prepared: yes}"), "doesn't fit", "prepared statement"),
    Bad("repeat once", step("{@@repeat: 1, steps: [{killer: x}]}"), "1", "How often the steps"),
    Bad("repeat nothing", step("{repeat: 2, @@steps: []}"), "must not be empty", "that are repeated"),
    Bad("wait", step("@@wait: victim"), "expected a mapping", "Waits until"),
    Bad("wait for what", step("wait: {@@victim: dead}"), "expected running or blocked or gone"),
    Bad("no reply", step("{killer: x, @@reply: }"), "null doesn't fit", "The expected reply"),
    Bad("an empty list", step("{killer: x, @@reply: []}"), "must not be empty", "The expected reply"),
    Bad("a number of rows", step("{killer: x, reply: {ok: {@@affected: many}}}"), "expected a whole number"),
    Bad("a session", sessions("{@@killer: }"), "null doesn't fit: expected a mapping", "One session"),
    Bad("connect", sessions("{killer: {@@connect: 'no'}}"), "doesn't fit", "connect step"),
    Bad("grants", sessions("{killer: {@@grants: ALTER SYSTEM}}"), "expected a list", "Privileges or roles"),
    Bad("a session's name", one_case("x: y", "{@@Killer: {}}"), '"Killer"', "A name"),
    Bad("no parameter", body("@@parameters: {}"), "must not be empty", "once for each value"),
    Bad("no value", body("parameters: {@@how: []}"), "must not be empty", "A list of texts"),
    Bad("a value of null", body("parameters: {how: [@@null]}"), "null doesn't fit", ""),
    Bad(
        "an end",
        observing("s: {@@connection: nothing}"),
        "expected closed or reset or error",
        "How the connections of the ended sessions end",
    ),
    Bad("an outcome", observing("@@s: yes"), "expected a mapping", "An outcome"),
]

SAME_ID = VALID.replace("- id: second-case", "- @@id: first-case")
IDS = [
    Bad(
        "twice in a file",
        SAME_ID,
        "the id 'first-case' is already used by an earlier case",
        "choose another id: ids are unique",
    )
]

GROUPS = {
    "unknown key": UNKNOWN_KEYS,
    "unknown name": UNKNOWN_NAMES,
    "hole": HOLES,
    "step": STEPS,
    "observing": OBSERVING,
    "session": SESSIONS,
    "yaml": YAML,
    "type": TYPES,
    "id": IDS,
}
ALL = [pytest.param(bad, id=f"{group}: {bad.name}") for group, bads in GROUPS.items() for bad in bads]


@pytest.mark.parametrize("bad", ALL)
def test_a_bad_file_is_refused_with_place_trouble_and_advice(tmp_path: Path, bad: Bad) -> None:
    before, mark, after = bad.text.partition("@@")
    assert mark, "the test names no place"
    path = write(tmp_path, before + after)
    with pytest.raises(SourceError) as caught:
        load_cases(path)
    place = Place(path, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    assert (caught.value.place, bad.what in caught.value.what, bad.hint in caught.value.hint) == (place, True, True), (
        str(caught.value)
    )


def test_an_unclosed_quote_is_named_where_it_opens(tmp_path: Path) -> None:
    before, _, after = step("killer: @@'SELECT 1").partition("@@")
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, before + after))
    assert "broken YAML" in caught.value.what
    assert caught.value.place.line == before.count("\n") + 1, str(caught.value)


TAGS = ["!!int abc", "!!float x", "!!timestamp x", "!!timestamp 2020-99-99", "!!bool maybe", "!!binary \u00e9"]


@pytest.mark.parametrize("tagged", TAGS)
def test_a_value_that_does_not_fit_its_tag_is_a_problem_of_the_file(tmp_path: Path, tagged: str) -> None:
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, VALID.replace("something holds", tagged)))
    assert caught.value.place.line == VALID[: VALID.index("something holds")].count("\n") + 1


def test_a_number_of_any_length_is_a_problem_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, VALID.replace("repeat: 2", "repeat: " + "1" * 5000)))
    assert caught.value.place.line == VALID[: VALID.index("repeat: 2")].count("\n") + 1


def test_a_newer_format_is_named_before_what_is_new_in_it(tmp_path: Path) -> None:
    newer = VALID.replace("format: 1", "format: 2").replace("about:", "summary:")
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, newer))
    assert "unknown format 2" in caught.value.what


LABELS = ["[a, a]", "[a b, a_b]", "{a b: x, a_b: y}", "{a b: x, 'a[b': y}"]


@pytest.mark.parametrize("values", LABELS)
def test_two_values_under_one_label_are_refused_since_their_results_could_not_be_told_apart(
    tmp_path: Path, values: str
) -> None:
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, body(f"parameters: {{how: {values}}}")))
    assert "how" in str(caught.value) or "label" in str(caught.value)


FILLED_IN = {
    "a speaker that is no session": ("- ${how}: SELECT 1", "kiler"),
    "a session that does not end": ("- killer: SELECT 1\n    reply: {rows: {sessions: {'${how}': {}}}}", "victm"),
    "an empty statement": ("- killer: ${how}", '""'),
    "two statements of one session": ("- {killer: SELECT 1, '${how}': SELECT 2}", "killer"),
    "a hole that is none": ("- killer: ${${how}.id}", '"victim "'),
}


@pytest.mark.parametrize(("text", "value"), FILLED_IN.values(), ids=list(FILLED_IN))
def test_what_a_parameter_makes_is_checked_like_what_is_written(tmp_path: Path, text: str, value: str) -> None:
    file = one_case(f"requirement: MUS-1\nparameters: {{how: [{value}]}}\nsteps:\n  {text}")
    with pytest.raises(SourceError) as caught:
        load_cases(write(tmp_path, file))
    assert caught.value.place.line >= file[: file.index("steps:")].count("\n") + 1


def test_an_id_in_two_files_is_named_at_its_second_use_with_the_first(tmp_path: Path) -> None:
    first, second = write(tmp_path, VALID, "one.yaml"), write(tmp_path, VALID, "two.yaml")
    cases = [*load_cases(first), *load_cases(second)]
    with pytest.raises(SourceError) as caught:
        refuse_duplicates(cases)
    assert caught.value.place == Place(second, 7, 5)
    assert str(Place(first, 7, 5)) in caught.value.what


def test_the_ids_of_one_file_are_no_duplicates_of_themselves(tmp_path: Path) -> None:
    refuse_duplicates(load_cases(write(tmp_path, VALID)))


def test_a_file_that_is_not_there_is_a_problem_with_advice(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.yaml:1:1: can't be read: No such file"):
        load_cases(tmp_path / "missing.yaml")


def test_a_folder_in_a_files_place_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read: Is a directory"):
        load_cases(tmp_path)


BYTES = {
    "Latin-1": VALID.replace("something", "\u00e4").encode("latin-1"),
    "UTF-16": VALID.encode("utf-16"),
    "a cut letter": VALID.encode() + "\u4e2d".encode()[:2],
    "no text at all": bytes(range(256)),
}


@pytest.mark.parametrize("content", BYTES.values(), ids=list(BYTES))
def test_what_is_not_utf_8_is_refused_with_the_position_of_the_byte(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match=r"is not UTF-8 text \(byte [0-9]+\)\n +hint: save the file as UTF-8"):
        load_cases(write(tmp_path, content))


def test_cases_without_a_register_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, VALID, register=None)
    with pytest.raises(SourceError, match=r"no requirements\.yaml in this folder or above it"):
        load_cases(path)


REGISTERS = {
    "unknown level": (REGISTER.replace("level: must", "@@level: shall"), "expected must or should or observe"),
    "no level": (REGISTER.replace("MUS-1: {level: must, ", "@@MUS-1: {"), "'level' is missing"),
    "nothing said": (REGISTER.replace('text: "it must"', '@@text: ""'), "must not be empty"),
    "newer format": (REGISTER.replace("format: 1", "@@format: 3"), "unknown format 3"),
    "no words": (REGISTER.replace("words:", "@@wrds:"), "unknown key 'wrds'"),
    "two guarded words": (REGISTER.replace("guarded: KILL", "@@guarded: KILL|END"), "it must match"),
    "requirement twice": (REGISTER.replace("  SHO-1", "  @@MUS-1"), "'MUS-1' is duplicate"),
}


@pytest.mark.parametrize(("text", "what"), REGISTERS.values(), ids=list(REGISTERS))
def test_a_bad_register_is_refused_at_its_place(tmp_path: Path, text: str, what: str) -> None:
    before, _, after = text.partition("@@")
    path = write(tmp_path, VALID, register=before + after)
    with pytest.raises(SourceError) as caught:
        find_register(path)
    register = path.with_name("requirements.yaml").resolve()
    assert caught.value.place == Place(register, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    assert what in caught.value.what


def test_a_problem_is_shown_with_the_path_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "hello\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"^cases/file\.yaml:1:1: .*\n    hint: "):
        load_cases(path)
