"""Measures what the guard costs: `make bench`, or `python -m bench.run --help`.

CPU milliseconds per request is the figure that counts: it holds on a noisy machine, where times do not. A peer is measured in the
same sitting, in turn, if it is given. The load tools lie in a folder beside the checkout (`--tools`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOLS = HERE.parent.parent / "shared" / "bench"
READY_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Case:
    """One load: what it is called, its arguments for the load tool, and the bar in CPU ms per request."""

    name: str
    arguments: tuple[str, ...]
    bar: float | None


CASES = (
    Case("64 tokens, not streamed", ("--n", "800", "--tokens", "64"), 1.5),
    Case("256 tokens, streamed in a burst", ("--n", "400", "--tokens", "256", "--stream"), 6.0),
    Case("64 tokens, streamed, 10 ms a token", ("--n", "160", "--tokens", "64", "--stream", "--model", "sim-d10"), 5.0),
)
LENGTHS = (1_000, 8_000, 32_000)


@dataclass(frozen=True, slots=True)
class Running:
    """A server under load."""

    name: str
    url: str
    pid: int
    ready_seconds: float


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(name: str, command: Sequence[str], port: int, path: str, env: dict[str, str] | None = None) -> Iterator[Running]:
    """Starts a server and waits until `path` answers."""
    started = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        try:
            _wait(process, f"http://127.0.0.1:{port}{path}")
            yield Running(name, f"http://127.0.0.1:{port}/v1", process.pid, time.perf_counter() - started)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.perf_counter() + READY_SECONDS
    while time.perf_counter() < until:
        if process.poll() is not None:
            raise SystemExit(f"a server ended before it was ready: {process.args!r}")
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own address
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{url} was not ready in {READY_SECONDS:.0f} s")


def load(tools: Path, server: Running, arguments: Sequence[str]) -> dict[str, Any]:
    """One run of the load tool; its JSON."""
    command = [sys.executable, str(tools / "load.py"), server.url, "--pid", str(server.pid), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def memory(pid: int) -> float:
    """Resident megabytes of a process and its children."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(path.parent.name) == pid or int(fields["PPid"]) == pid:
            total += int(fields.get("VmRSS", "0 kB").split()[0])
    return total / 1024


def servers(stack: ExitStack, options: argparse.Namespace, upstream: int) -> list[Running]:
    """The upstream itself, the floor, ours with either policy, and the peer if there is one."""
    tools: Path = options.tools
    made = []
    ports = [free_port() for _ in range(4)]
    floor = [sys.executable, str(tools / "floor.py"), str(ports[0]), str(upstream)]
    made.append(stack.enter_context(running("the floor (a byte relay)", floor, ports[0], "/health")))
    for port, policy in zip(ports[1:3], ("policy.yaml", "patterns.yaml"), strict=True):
        ours = [str(Path(sys.executable).with_name("sluicegate")), "serve", "--policy", str(HERE / policy)]
        ours += ["--upstream", f"http://127.0.0.1:{upstream}/v1", "--port", str(port)]
        audit = {"SLUICEGATE_AUDIT": str(options.out / f"audit-{policy}.jsonl"), "SLUICEGATE_LOG_LEVEL": "error"}
        made.append(stack.enter_context(running(f"Sluicegate, {policy}", ours, port, "/health/ready", audit)))
    if options.peer:
        config = options.out / "peer.yaml"
        config.write_text((tools / "litellm.yaml").read_text().replace("18000", str(upstream)))
        peer = [options.peer, "--config", str(config), "--port", str(ports[3])]
        made.append(stack.enter_context(running("LiteLLM", peer, ports[3], "/health/liveliness", {"LITELLM_LOG": "ERROR"})))
    return made


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, by server and case."""
    port = free_port()
    result: dict[str, Any] = {"cases": {}, "lengths": {}, "memory_mb": {}, "ready_s": {}, "late_ms": {}}
    with ExitStack() as stack:
        command = [sys.executable, str(options.tools / "upstream.py"), str(port)]
        upstream = stack.enter_context(running("upstream", command, port, "/health"))
        made = servers(stack, options, port)
        for case in CASES:
            for server in made:
                print(f"  {case.name}: {server.name}", file=sys.stderr, flush=True)
                figures = load(options.tools, server, ("--c", "16", *case.arguments))
                result["cases"].setdefault(case.name, {})[server.name] = figures
        alone = ("--c", "1", "--n", "100", "--tokens", "64", "--stream")
        direct = load(options.tools, upstream, alone)["ttft_ms"]["p50"]
        for server in made:
            result["late_ms"][server.name] = round(load(options.tools, server, alone)["ttft_ms"]["p50"] - direct, 2)
            result["ready_s"][server.name] = round(server.ready_seconds, 2)
            result["memory_mb"][server.name] = round(memory(server.pid), 1)
        for length in LENGTHS:
            for server in made[1:3]:
                print(f"  {length} tokens: {server.name}", file=sys.stderr, flush=True)
                figures = load(options.tools, server, ("--c", "4", "--n", "12", "--tokens", str(length), "--stream"))
                per_token = figures["cpu_ms_per_request"] * 1e3 / length
                result["lengths"].setdefault(str(length), {})[server.name] = round(per_token, 1)
    return result


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    names = list(next(iter(result["cases"].values())))
    lines = ["| CPU ms per request (first piece p50, ms) | " + " | ".join(names) + " | bar |", "|---" * (len(names) + 2) + "|"]
    for case in CASES:
        cells = []
        for name in names:
            figures = result["cases"][case.name][name]
            first = figures["ttft_ms"]["p50"]
            wrong = f", {figures['errors']} errors" if figures["errors"] else ""
            cells.append(f"{figures['cpu_ms_per_request']:.2f}" + (f" ({first:.0f})" if first else "") + wrong)
        lines.append(f"| {case.name} | " + " | ".join(cells) + f" | {case.bar} |")
    for key, title, bar in (
        ("late_ms", "first piece later than the upstream's, concurrency 1, p50 ms", 5),
        ("memory_mb", "memory after the load, MB", "220, 120"),
        ("ready_s", "ready after, s", 3),
    ):
        lines.append(f"| {title} | " + " | ".join(str(result[key].get(name, "")) for name in names) + f" | {bar} |")
    for length, figures in result["lengths"].items():
        cells = [str(figures.get(name, "")) for name in names]
        lines.append(f"| CPU µs per token, {int(length):,} tokens | " + " | ".join(cells) + " | does not grow |")
    return "\n".join(lines)


def main() -> None:
    """Runs everything and prints the table; the raw figures go to `bench/out/figures.json`."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=TOOLS, help="folder of the load tools (default: %(default)s)")
    parser.add_argument("--peer", help="LiteLLM's command, in an environment of its own, to measure beside us")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="where raw figures go (default: %(default)s)")
    options = parser.parse_args()
    if not (options.tools / "load.py").exists():
        raise SystemExit(f"no load tools in {options.tools}: name their folder with --tools")
    options.out.mkdir(parents=True, exist_ok=True)
    result = measure(options)
    (options.out / "figures.json").write_text(json.dumps(result, indent=2))
    print(table(result))


if __name__ == "__main__":
    main()
