"""How a choice is written again from its last clean sentence on: what the model is asked then.

It goes on through `/v1/completions`: prompt, thoughts, steering, closing tag and the clean part of the answer, rendered by us,
so that the server has nearly all of it in its prefix cache and the thoughts are kept. The steering stands at the end of the
thoughts, in the model's own voice, since text between two sentences of an answer would be read by its user. Servers without that
route are asked afresh, as long as the client has nothing of the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from classifiers.finding import Channel
from policies.policy import Rule
from proxy.prompt.profile import Profile
from proxy.prompt.rendering import RenderingError, continuation
from proxy.records.audit import Way
from proxy.road.placeholders import Placeholders
from proxy.upstream.protocol import Upstream, UpstreamRequest

SAMPLING: Final = (
    "model",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
)
BOS: Final = "<｜begin▁of▁sentence｜>"
"""Completion routes put it in front by themselves, as they do for every prompt of text (vLLM's and SGLang's default)."""

LANGUAGES: Final[Mapping[str, str]] = {
    "ar": "Arabic", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Broken:
    """A choice that waits to be written again: by which rule, in which channel from which offset on, and what to ask for it.

    `dropped` counts the characters that were taken back.
    """

    rule: str
    say: str
    channel: Channel
    at: int
    way: Way
    request: UpstreamRequest
    dropped: int


class Mender:
    """Asks for one exchange. `body` is what the model was asked; `profile` None: its template is not known.

    `begun` gives a body the beginning of the reply, where the first question had one.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  # the exchange's
        upstream: Upstream,
        body: Mapping[str, Any],
        profile: Profile | None,
        language: str,
        placeholders: Placeholders | None = None,
        most: int = 32768,
        begun: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        self._id, self._upstream, self._body, self._profile = id, upstream, body, profile
        self._language, self._placeholders = language, placeholders
        self._most: int = body.get("max_tokens") or most
        self._begun = begun

    def onward(
        self, said: Mapping[Channel, Sequence[str]], channel: Channel, rule: Rule, tries: int, used: int
    ) -> UpstreamRequest | None:
        """The request for going on behind what was `said`; None where the server or the text does not allow it.

        `used` counts the tokens that the choice has had.
        """
        room = self._most - used
        if room < 1 or self._profile is None or not getattr(self._upstream, "completes", False) or self._body.get("tools"):
            return None
        thoughts, answer = (self._veiled("".join(said.get(each, ()))) for each in (Channel.REASONING, Channel.ANSWER))
        thoughts = f"{thoughts.rstrip()}\n\n{self._thought(rule)}\n".lstrip("\n")
        closed = channel is Channel.ANSWER
        try:
            prompt = continuation(self._body["messages"], self._profile, thoughts, answer if closed else "", closed=closed)
        except RenderingError:
            return None
        body = {name: self._body[name] for name in SAMPLING if name in self._body}
        body |= {"prompt": prompt.removeprefix(BOS), "max_tokens": room, **self._seed(tries)}
        return UpstreamRequest(self._id, body)

    def afresh(self, rule: Rule, tries: int, used: int) -> UpstreamRequest | None:
        """The request for a whole new reply; None where no token is left."""
        room = self._most - used
        if room < 1:
            return None
        messages = list(self._body["messages"])
        at = next((at for at in range(len(messages) - 1, -1, -1) if messages[at]["role"] == "user"), None)
        if at is not None:
            messages[at] = {**messages[at], "content": f"{messages[at].get('content') or ''}\n\n{self._ask(rule)}"}
        body = {name: value for name, value in self._body.items() if name not in ("n", "messages")}
        return UpstreamRequest(self._id, self._begun({**body, "messages": messages, "max_tokens": room, **self._seed(tries)}))

    def _seed(self, tries: int) -> dict[str, int]:
        """With the caller's seed the same words would come again."""
        seed = self._body.get("seed")
        return {} if seed is None else {"seed": seed + tries}

    def _veiled(self, text: str) -> str:
        """The text as the model knows it: what placeholders stood for goes back behind them."""
        return self._placeholders.hidden(text) if self._placeholders else text

    def _thought(self, rule: Rule) -> str:
        if rule.steer:
            return rule.steer
        if rule.use == "language":
            return f"I slipped into another language. From here on I write in {self._named()} only, every word of it."
        return "What I was about to write is not allowed here. I leave it out, say nothing like it, and go on without it."

    def _ask(self, rule: Rule) -> str:
        if rule.steer:
            return rule.steer
        if rule.use == "language":
            return f"Write in {self._named()} only, every word of it."
        return "Leave out everything that is harmful, private or not allowed."

    def _named(self) -> str:
        return LANGUAGES.get(self._language.partition("-")[0], "the language of the question")
