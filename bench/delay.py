"""How much later a token comes through the proxy: `python -m bench.delay [--streams 400] [--rate 20] [--tokens 200]`.

Every token tells when the model server sent it (`bench.ticking`), so the delay of each is known, not only that of a reply's end.
First without the proxy, which is what the machine, the model server and this client need themselves, then through it; the added
delay is the difference. One worker, the bench policy; `--everything` adds what `bench.production` adds. Streams begin spread over
one step of their pace, as those of strangers do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.production import Sitting, with_everything
from bench.run import Running, free_port, memory, running
from bench.ticking import LETTERS, moment, now

TOKEN = re.compile(rb'"(?:reasoning_content|content)": ?"((?:[a-z]{%d} )+)"' % LETTERS)


@dataclass(slots=True)
class Heard:
    """What came, over all streams: delays in microseconds."""

    delays: list[int] = field(default_factory=list)
    ended: int = 0
    failed: int = 0


class Stream(asyncio.Protocol):
    """One request and its reply."""

    def __init__(self, request: bytes, heard: Heard, tokens: int) -> None:
        self._request, self._heard, self._left, self._kept = request, heard, tokens, b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own class does not derive from it
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Looks at the clock, once for all that came together."""
        at = now()
        data = self._kept + data
        end = 0
        for found in TOKEN.finditer(data):
            end = found.end()
            for written in found.group(1).split():
                self._heard.delays.append(at - moment(written))
                self._left -= 1
        self._kept = data[max(end, len(data) - 256) :]
        if b"[DONE]" in self._kept:
            self._heard.ended += 1
            self._heard.failed += self._left != 0
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """The end."""
        if not self.done.done():
            self.done.set_result(None)


async def listen(server: Running, key: str, options: argparse.Namespace) -> Heard:
    """All streams, to their ends."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    pace = 1000 / options.rate
    asked = {"model": f"tick-{pace:g}", "stream": True, "max_tokens": options.tokens}
    body = json.dumps({**asked, "messages": [{"role": "user", "content": "How does a water mill grind grain?"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    heard, open_ = Heard(), []
    loop = asyncio.get_running_loop()
    for number in range(options.streams):
        _, stream = await loop.create_connection(lambda: Stream(request, heard, options.tokens), address.hostname, address.port)
        open_.append(stream.done)
        await asyncio.sleep(options.spread / options.streams)
        if number == options.streams // 2:  # requests that begin are another matter than tokens that pass
            heard.delays.clear()
    heard.delays.clear()
    await asyncio.wait(open_, timeout=120 + options.tokens / options.rate)
    heard.failed += options.streams - heard.ended
    return heard


def at(values: Sequence[int], part: float) -> float:
    """A percentile, in milliseconds."""
    return values[min(len(values) - 1, int(len(values) * part))] / 1000


def told(name: str, heard: Heard, cpu: float, grown: float) -> list[float]:
    """Prints one run; its percentiles."""
    values = sorted(heard.delays)
    figures = [at(values, part) for part in (0.5, 0.95, 0.99, 0.999, 1.0)]
    line = "  ".join(f"{label} {one:.1f}" for label, one in zip(("p50", "p95", "p99", "p99.9", "max"), figures, strict=True))
    more = f"  {cpu:.0f} µs CPU a token, {grown:.1f} MB" if cpu else ""
    print(f"{name:24} {len(values):9,} tokens, failed streams {heard.failed}; delay in ms: {line}{more}", flush=True)
    return figures


def used(pid: int) -> float:
    """CPU seconds of one process."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / 100


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, default=400)
    parser.add_argument("--rate", type=float, default=20.0, help="tokens a second of each stream")
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--spread", type=float, default=3.0, help="seconds over which the streams begin")
    parser.add_argument("--everything", action="store_true", help="with a key, limits in Redis and an anchored ledger")
    parser.add_argument("--serve", nargs=argparse.REMAINDER, default=[], help="more flags for the program")
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as made:
        port = free_port()
        ticking = [sys.executable, "-m", "bench.ticking", str(port)]
        upstream = stack.enter_context(running("upstream", ticking, port, "/health"))
        sitting = Sitting(stack, Path(made), port)
        sitting.serve("the policy alone", *options.serve)
        if options.everything:
            with_everything(sitting, stack, Path(made))
        direct = told("without a proxy", uvloop.run(listen(upstream, "none", options)), 0, 0)
        for name, server in sitting.servers.items():
            before, cpu = memory(server.pid), used(server.pid)
            heard = uvloop.run(listen(server, sitting.keys.get(name, "none"), options))
            spent = (used(server.pid) - cpu) * 1e6 / (options.streams * options.tokens)
            through = told(name, heard, spent, memory(server.pid) - before)
            print(f"{'':24} added: p50 {through[0] - direct[0]:.1f}, p99 {through[2] - direct[2]:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
