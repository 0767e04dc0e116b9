"""Stop sequences, applied by us and to the answer only: servers apply them inside thoughts, too."""

from __future__ import annotations


class Stops:
    """Cuts a growing text before the first stop sequence. Holds back no more than what may be the beginning of one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """What of the text so far is surely before any stop sequence."""
        if self.hit:
            return ""
        text = self._held + text
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        # An earlier sequence may still be growing at the end; a complete one wins only if nothing begins before it.
        begins = self._begins(text)
        if places and min(places) <= begins:
            self.hit, self._held = True, ""
            return text[: min(places)]
        self._held = text[begins:]
        return text[:begins]

    def finish(self) -> str:
        """What was held back, when nothing more comes."""
        text, self._held = self._held, ""
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            self.hit = True
            return text[: min(places)]
        return text

    def _begins(self, text: str) -> int:
        """Where the earliest unfinished sequence at the end begins."""
        longest = max(len(stop) for stop in self._stops)
        for at in range(max(0, len(text) - longest + 1), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return len(text)
