"""One written rule becomes a `Rule`: its own keys, its classifier's options, its categories, the files it names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from classifiers.finding import Channel, Classifier
from classifiers.registry import MissingPackageError, Spec, UnknownClassifierError
from policies.bind import Builder
from policies.digest import frozen
from policies.document import RuleWritten
from policies.mistakes import Mistake, listed, nearest
from policies.options import Options
from policies.policy import Rule
from policies.positions import Fields, dotted, find, node_at, plain
from policies.verdict import Action
from policies.wording import validated

MESSAGE_NAME = re.compile(r"[A-Za-z0-9_.-]+")
"""A `say` of this shape is the name of a message; a sentence has a blank in it, or is not ASCII."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule without mistakes, and the digests of the files it names, by option."""

    rule: Rule
    files: Mapping[str, Any]


def checked(name: str, document: Fields, builder: Builder, messages: Collection[str], mistakes: list[Mistake]) -> Checked | None:
    """The rule `name` of `document`; None, and every mistake told, where it is not one."""
    before = len(mistakes)
    node = node_at(document, ("rules", name))
    if not isinstance(node, Fields):
        mistakes.append(_not_a_rule(name, document))
        return None
    data: Any = plain(node)
    own = {key: value for key, value in data.items() if key in RuleWritten.model_fields}
    rule = validated(RuleWritten, own, document, ("rules", name), mistakes)
    if isinstance(data.get("say"), str):
        _check_say(name, data["say"], document, messages, mistakes)
    spec = _spec(name, data.get("use"), document, builder, mistakes)
    if spec is None:
        return None
    options = Options(name, document, spec, mistakes).read({key: value for key, value in data.items() if key not in own})
    if options is None:
        return None
    classifier = _built(name, spec, options.values, document, builder, mistakes)
    if classifier is not None and isinstance(data.get("when"), dict):
        _check_categories(name, data["when"], document, classifier, mistakes)
    if rule is None or len(mistakes) > before:
        return None
    return Checked(_rule(name, rule, options.values), options.files)


def _rule(name: str, written: RuleWritten, options: Mapping[str, Any]) -> Rule:
    return Rule(
        name=name,
        use=written.use,
        on=frozenset(Channel(channel) for channel in written.on),
        do=Action[written.do.upper()],
        options=frozen(options),
        when=MappingProxyType(dict(written.when)),
        threshold=written.threshold,
        on_error=Action[written.on_error.upper()],
        on_history=written.on_history,
        say=written.say,
        mask=written.mask,
        within=written.within,
    )


def _not_a_rule(name: str, document: Fields) -> Mistake:
    message = "a rule is a mapping: {use: …, on: [...], do: …}"
    value = plain(node_at(document, ("rules", name)))
    if value is None or value is False:
        message += "; to take away a rule of the parent policy write the word off"
    return find(document, ("rules", name), key=value is None).mistake(f"rules.{name}", message, "off" if value is False else "")


def _check_say(name: str, say: str, document: Fields, messages: Collection[str], mistakes: list[Mistake]) -> None:
    if MESSAGE_NAME.fullmatch(say) and say not in messages:
        message = (
            f"there is no message '{say}' (messages has {listed(sorted(messages))}); a text of one word ends with a full stop"
        )
        path = ("rules", name, "say")
        if not say.endswith("."):
            mistakes.append(find(document, path).mistake(dotted(path), message, nearest(say, messages)))


def _spec(name: str, use: Any, document: Fields, builder: Builder, mistakes: list[Mistake]) -> Spec | None:
    if not isinstance(use, str):
        return None  # told already: the key is missing or is not text
    path = ("rules", name, "use")
    place = find(document, path)
    try:
        return builder.registry.spec(use)
    except UnknownClassifierError as error:
        known = listed(error.known, 40)
        mistakes.append(
            place.mistake(dotted(path), f"there is no classifier '{use}' (there are {known})", nearest(use, error.known))
        )
    except MissingPackageError as error:
        mistakes.append(place.mistake(dotted(path), str(error)))
    except Exception as error:  # a third party's module may fail in any way; the policy must not start then
        mistakes.append(place.mistake(dotted(path), f"classifier '{use}' cannot be imported: {type(error).__name__}: {error}"))
    return None


def _built(
    name: str, spec: Spec, options: Mapping[str, Any], document: Fields, builder: Builder, mistakes: list[Mistake]
) -> Classifier | None:
    path = ("rules", name, "use")
    try:
        return builder.build(spec.name, options)
    except MissingPackageError as error:
        mistakes.append(find(document, path).mistake(dotted(path), str(error)))
    except Exception as error:  # whatever keeps a classifier from being built keeps the policy from starting
        said = str(error).split("\n", 1)[0] if not isinstance(error, ValidationError) else "its options cannot be written back"
        message = f"classifier '{spec.name}' cannot be built: {said or type(error).__name__}"
        mistakes.append(find(document, path).mistake(dotted(path), message))
    return None


def _check_categories(name: str, when: Any, document: Fields, classifier: Classifier, mistakes: list[Mistake]) -> None:
    known = sorted(classifier.categories)
    for category in when:
        if category not in classifier.categories:
            path = ("rules", name, "when", category)
            message = f"'{classifier.name}' has no category '{category}' (it has {listed(known, 60)})"
            mistakes.append(find(document, path, key=True).mistake(dotted(path), message, nearest(category, known)))
