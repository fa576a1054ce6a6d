"""The capabilities that a server needs for a case, derived from the statements of the case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.language.model import Send, Step, Vocabulary, Wait, flat


def derived_capabilities(steps: Iterable[Step], vocabulary: Vocabulary) -> frozenset[str]:
    """The capabilities that follow from the steps of a case.

    A server that doesn't support a form of the statement replies with an error, too. So if a step allows any error,
    the form is needed only if no guarded statement of the case names a session without using such a form.
    """
    all_steps = list(flat(steps))
    needed = set(_of_states(all_steps, vocabulary))
    sending = [step for step in all_steps if isinstance(step, Send)]
    needed.update(name for step in sending for name in _named(step.statement.text, vocabulary))
    guarded = [step for step in sending if _is_guarded(step, vocabulary)]
    forms = [(step, frozenset(_forms(step.statement.text, vocabulary))) for step in guarded]
    has_plain = any(not form and step.statement.sessions_named_by_id() for step, form in forms)
    for step, form in forms:
        if not (has_plain and _any_error(step)):
            needed |= form
    return frozenset(needed)


def _of_states(steps: Iterable[Step], vocabulary: Vocabulary) -> Iterator[str]:
    states = {step.state for step in steps if isinstance(step, Wait)}
    return (name for name, each in vocabulary.capabilities.items() if each.state in states)


def _named(text: str, vocabulary: Vocabulary) -> Iterator[str]:
    for name, each in vocabulary.capabilities.items():
        if each.statement is not None and each.statement.search(text):
            yield name


def _forms(text: str, vocabulary: Vocabulary) -> Iterator[str]:
    for name, each in vocabulary.capabilities.items():
        if each.guarded is not None and each.guarded.search(text):
            yield name


def _is_guarded(step: Send, vocabulary: Vocabulary) -> bool:
    return step.statement.contains_ids or vocabulary.contains_guarded_word(step.statement.literal)


def _any_error(step: Send) -> bool:
    return any(expect.kind == "error" for expect in step.reply)
