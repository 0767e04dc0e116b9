"""How well and how fast personal data is found.

    python -m bench.pii SENTENCES.jsonl.gz

Each line of the file is `{"text": …, "spans": [{"entity": …, "start": …, "end": …}]}`. Prints recall and precision per entity,
for findings from score 0.4 and from 0.5 (a finding counts if it overlaps), then microseconds per call on plain and dense text.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifiers.finding import Channel, Context, Finding, Passage, Unjudged
from classifiers.pii import Pii, PiiOptions

PLAIN = "The train left the station slowly, and nobody on the platform knew where it was going to stop that night. " * 4
DENSE = "Write to jane@example.com or call +1 212 555 0123; card 4111 1111 1111 1111, SSN 536-22-1234, host 10.0.0.7. " * 4


async def quality(pii: Pii, rows: Sequence[dict[str, Any]], score: float) -> None:
    """Prints a line per entity."""
    wanted, hit, seen, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        answer = (await pii([Passage(Channel.ANSWER, row["text"])], Context()))[0]
        if isinstance(answer, Unjudged):
            raise RuntimeError(answer.reason)
        found = [each for each in answer if each.score >= score]
        for span in row["spans"]:
            entity = span["entity"].lower()
            wanted[entity] += 1
            hit[entity] += any(each.category == entity and overlaps(each, span) for each in found)
        for each in found:
            seen[each.category] += 1
            right[each.category] += any(span["entity"].lower() == each.category and overlaps(each, span) for span in row["spans"])
    print(f"from score {score}")
    for entity in sorted(pii.categories & (set(wanted) | set(seen))):
        recall = f"{hit[entity]}/{wanted[entity]}"
        print(f"  {entity:15} recall {recall:>9}   precision {right[entity]}/{seen[entity]}")


def overlaps(finding: Finding, span: dict[str, int]) -> bool:
    """Whether they share a character."""
    return finding.start < span["end"] and span["start"] < finding.end


def speed(pii: Pii, name: str, text: str, rounds: int = 200) -> None:
    """Prints CPU microseconds per call."""
    passage, context = Passage(Channel.ANSWER, text), Context()

    async def calls() -> None:
        for _ in range(rounds):
            await pii([passage], context)

    asyncio.run(calls())
    started = time.process_time()
    asyncio.run(calls())
    judged = time.process_time() - started
    started = time.process_time()
    for _ in range(rounds):
        pii.safe_upto(text)
    settled = time.process_time() - started
    print(f"  {name:20} judge {judged / rounds * 1e6:8.1f} µs   safe_upto {settled / rounds * 1e6:8.1f} µs")


def main() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    pii = Pii(PiiOptions())
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"construction {time.perf_counter() - started:.2f} s, memory {before // 1024} -> {after // 1024} MB")
    for path in map(Path, sys.argv[1:]):
        with gzip.open(path, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        for score in (0.4, 0.5):
            asyncio.run(quality(pii, rows, score))
    for name, text in (
        ("100 plain", PLAIN[:100]),
        ("400 plain", PLAIN[:400]),
        ("100 dense", DENSE[:100]),
        ("400 dense", DENSE[:400]),
    ):
        speed(pii, name, text)


if __name__ == "__main__":
    main()
