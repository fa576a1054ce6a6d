"""The findings of an examination as text: all for ``doctor``, and a few lines before a run."""

from __future__ import annotations

from collections.abc import Iterator

from runner.database.profile_files import profile_names
from runner.doctor.findings import Findings, Missing
from runner.language.message_text import shorten

_NAMED = 3


def full_lines(findings: Findings, cases: int) -> Iterator[str]:
    """The output of ``doctor``; ``cases`` is the number of cases."""
    yield f"target      {findings.target}, profile {findings.profile}"
    product = f", {findings.product}" if findings.product else ""
    handshake = shorten(findings.handshake_version) or "without a version"
    yield f"server      {_version(findings)} (handshake {handshake}{product})"
    yield f"connection  {_connection(findings)}"
    yield f"login       {findings.connect_ms:g} ms"
    yield f"bit 27      {_sent(findings)}, {'' if findings.oracle_bit_offered else 'not '}offered by the server"
    yield f"list        {_list(findings)}"
    yield from _notes(findings)
    for item in findings.missing:
        yield ""
        yield f"missing: {item.what}"
        yield f"  affects {_affected(item, cases)}"
        if item.fix:
            yield f"  fix: {item.fix}"
    yield ""
    affected = {name for item in findings.missing for name in item.cases}
    yield f"{cases - len(affected)} of {cases} cases can be decided" + ("" if affected else ": nothing is missing")


def short_lines(findings: Findings, cases: int) -> Iterator[str]:
    """The lines before a run; ``cases`` is the number of cases."""
    yield f"server: {_version(findings)}, {_connection(findings)}, login {findings.connect_ms:g} ms"
    yield from _notes(findings)
    for item in findings.missing:
        yield f"missing: {item.what}; affects {_affected(item, cases)}" + (f"; fix: {item.fix}" if item.fix else "")


def _notes(findings: Findings) -> Iterator[str]:
    yield from _other_profile(findings)
    yield from (f"note: {note}" for note in findings.notes)


def _other_profile(findings: Findings) -> Iterator[str]:
    """A note if the suite has a profile for this server, and another one was chosen."""
    fitting = findings.flavour.casefold()
    if fitting in profile_names() and fitting != findings.profile:
        yield f"note: this is {findings.flavour}; use --profile {fitting} for its statements"


def _version(findings: Findings) -> str:
    return f"{findings.flavour} {shorten(findings.version)}".strip()


def _connection(findings: Findings) -> str:
    return f"{findings.route}, {f'TLS ({findings.tls})' if findings.tls else 'no TLS'}"


def _sent(findings: Findings) -> str:
    return "sent (an Oracle-mode tenant refuses clients without it)" if findings.oracle_bit_sent else "not sent"


def _list(findings: Findings) -> str:
    others = {
        True: "shows the sessions of other users",
        False: "doesn't show the sessions of other users",
        None: "sessions of other users: not examined",
    }
    same = {True: "is", False: "is not", None: "may be"}[findings.handshake_id_is_session_id]
    return f"{others[findings.sees_others]}; the id in a session's handshake {same} its id in the list"


def _affected(item: Missing, cases: int) -> str:
    if not item.cases:
        return "no case"
    some = ", ".join(item.cases[:_NAMED]) + (", …" if len(item.cases) > _NAMED else "")
    return f"{len(item.cases)} of {cases} cases, which become inconclusive ({some})"
