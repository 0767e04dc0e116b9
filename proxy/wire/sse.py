"""Server-sent events: one bounded parser over bytes, and the few lines that write them.

The format is WHATWG HTML, section 9.2.6. Lines end with LF, CR or CRLF and with nothing else: U+2028 and U+0085 are text. Of the
fields only `data` means anything here; `event`, `id`, `retry` and comments are skipped.
"""

from __future__ import annotations

DONE = b"[DONE]"
BOM = b"\xef\xbb\xbf"


class OverlongError(ValueError):
    """A line, or the data of one event, is longer than the parser's bound."""


class EventParser:
    """Bytes in, the data of whole events out. Which events come out does not depend on how the bytes were cut.

    `most` bounds a line and the joined data of an event, in bytes; so the memory held is at most about twice that. Time is linear
    in the input, however small the pieces. Data is given as bytes: whoever decodes it (a JSON parser) checks the UTF-8.
    """

    __slots__ = ("_cr", "_data", "_line", "_most", "_opening", "_size", "fault")

    def __init__(self, most: int) -> None:
        self._most = most
        self._line = bytearray()  # a line that has not ended; only what is new is searched for its end
        self._data: list[bytes] = []  # data lines of the event that has not ended
        self._size = 0  # bytes in _line and _data
        self._cr = False  # the last byte was CR: an LF that follows belongs to it
        self._opening: bytes | None = b""  # the first bytes, until it is known whether they are a byte order mark
        self.fault: OverlongError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The data of every event that `data` completes. On an overlong event `fault` is set, and later input is ignored.

        The fault is no exception, because the events before it in the same read are good.
        """
        events: list[bytes] = []
        if self.fault is not None:
            return events
        if self._opening is not None:
            data = self._without_bom(data)
        if self._cr or b"\r" in data:
            data = self._with_lf(data)
        try:
            self._split(data, events)
        except OverlongError as fault:
            self.fault = fault
            self._line, self._data, self._size = bytearray(), [], 0
        return events

    def finish(self) -> bytes:
        """The data of an event that the end of the input cut off: the format says to ignore it, a caller may look for [DONE]."""
        line = (self._opening or b"") + bytes(self._line)
        return b"\n".join([*self._data, *_data_of(line)])

    def _without_bom(self, data: bytes) -> bytes:
        opening = (self._opening or b"") + data
        if len(opening) < len(BOM) and BOM.startswith(opening):
            self._opening = opening
            return b""
        self._opening = None
        return opening.removeprefix(BOM)

    def _with_lf(self, data: bytes) -> bytes:
        if self._cr and data:
            data = data.removeprefix(b"\n")
            self._cr = False
        if data.endswith(b"\r"):
            self._cr = True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _split(self, data: bytes, events: list[bytes]) -> None:
        start = 0
        while self._line or self._data:  # finish what an earlier read began
            end = data.find(b"\n", start)
            if end < 0:
                self._hold(data[start:])
                return
            self._end_line(data[start:end], events)
            start = end + 1
        blocks = data[start:].split(b"\n\n") if start else data.split(b"\n\n")
        rest = blocks.pop()
        careful = len(data) > self._most
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block and not careful:  # what nearly every event looks like
                events.append(block[6:])
            else:
                for line in block.split(b"\n"):
                    self._end_line(line, events)
                self._end_line(b"", events)
        lines = rest.split(b"\n")
        last = lines.pop()
        for line in lines:
            self._end_line(line, events)
        self._hold(last)

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._size += len(piece)
            self._bound(self._size)
            self._line += piece

    def _end_line(self, tail: bytes, events: list[bytes]) -> None:
        if self._line:
            self._size -= len(self._line)
            line = bytes(self._line) + tail
            self._line = bytearray()
        else:
            line = tail
        self._bound(self._size + len(line))
        if line:
            for data in _data_of(line):
                self._data.append(data)
                self._size += len(data) + 1
        elif self._data:
            events.append(b"\n".join(self._data))
            self._data, self._size = [], 0

    def _bound(self, size: int) -> None:
        if size > self._most:
            raise OverlongError(f"an event is longer than {self._most} bytes")


def _data_of(line: bytes) -> tuple[bytes, ...]:
    """The value of a `data` field, or nothing if the line is another field or a comment."""
    if not line.startswith(b"data"):
        return ()
    value = line[4:]
    if not value:
        return (b"",)
    if value[:1] != b":":
        return ()
    return (value[2:],) if value[1:2] == b" " else (value[1:],)


def event(data: bytes) -> bytes:
    """One event. `data` is JSON or `[DONE]`: it has no line end."""
    return b"data: " + data + b"\n\n"


def comment(text: str = "") -> bytes:
    """A comment, which clients ignore: it keeps a line open. `text` has no line end."""
    return b": " + text.encode() + b"\n\n"
