"""The findings of an examination as text: all for ``doctor``, and a few lines before a run."""

from __future__ import annotations

from collections.abc import Iterator

from runner.database.outcome import shorten
from runner.database.profile_files import profile_names
from runner.doctor.facts import Facts, Missing

_NAMED = 3


def full_lines(facts: Facts, cases: int) -> Iterator[str]:
    """The output of ``doctor``; ``cases`` is the number of cases."""
    yield f"target      {facts.target}, profile {facts.profile}"
    product = f", {facts.product}" if facts.product else ""
    handshake = shorten(facts.handshake_version) or "without a version"
    yield f"server      {_version(facts)} (handshake {handshake}{product})"
    yield f"connection  {_connection(facts)}"
    yield f"login       {facts.connect_ms:g} ms"
    yield f"bit 27      {_sent(facts)}, {'' if facts.oracle_bit_offered else 'not '}offered by the server"
    yield f"list        {_list(facts)}"
    yield from _notes(facts)
    for item in facts.missing:
        yield ""
        yield f"missing: {item.what}"
        yield f"  affects {_affected(item, cases)}"
        if item.fix:
            yield f"  fix: {item.fix}"
    yield ""
    affected = {name for item in facts.missing for name in item.cases}
    yield f"{cases - len(affected)} of {cases} cases can be decided" + ("" if affected else ": nothing is missing")


def short_lines(facts: Facts, cases: int) -> Iterator[str]:
    """The lines before a run; ``cases`` is the number of cases."""
    yield f"server: {_version(facts)}, {_connection(facts)}, login {facts.connect_ms:g} ms"
    yield from _notes(facts)
    for item in facts.missing:
        yield f"missing: {item.what}; affects {_affected(item, cases)}" + (f"; fix: {item.fix}" if item.fix else "")


def _notes(facts: Facts) -> Iterator[str]:
    yield from _other_profile(facts)
    yield from (f"note: {note}" for note in facts.notes)


def _other_profile(facts: Facts) -> Iterator[str]:
    """A note if the suite has a profile for this server, and another one was chosen."""
    fitting = facts.flavour.casefold()
    if fitting in profile_names() and fitting != facts.profile:
        yield f"note: this is {facts.flavour}; use --profile {fitting} for its statements"


def _version(facts: Facts) -> str:
    return f"{facts.flavour} {shorten(facts.version)}".strip()


def _connection(facts: Facts) -> str:
    return f"{facts.route}, {f'TLS ({facts.tls})' if facts.tls else 'no TLS'}"


def _sent(facts: Facts) -> str:
    return "sent (an Oracle-mode tenant refuses clients without it)" if facts.oracle_bit_sent else "not sent"


def _list(facts: Facts) -> str:
    others = {True: "shows others' sessions", False: "hides others' sessions", None: "others' sessions: not tried"}
    same = {True: "is", False: "is not", None: "may be"}[facts.handshake_id_is_session_id]
    return f"{others[facts.sees_others]}; the handshake's id {same} the session id"


def _affected(item: Missing, cases: int) -> str:
    if not item.cases:
        return "no case"
    some = ", ".join(item.cases[:_NAMED]) + (", …" if len(item.cases) > _NAMED else "")
    return f"{len(item.cases)} of {cases} cases, which become inconclusive ({some})"
