"""Every mistake is told at once, each at its place and with the nearest right word. The table is `mistakes.txt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from policies.load import check, load
from policies.mistakes import LoadError, Mistake, nearest
from tests.policies.own import registry

EXPECTED = re.compile(r">>> (\d+):(\d+) ?([^|]*?) ?\| ([^|]+?) \|(?: (\S+))?")


@dataclass(frozen=True)
class Section:
    title: str
    policy: str
    expected: tuple[re.Match[str], ...]


def sections() -> list[Section]:
    text = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8")
    found = []
    for part in re.split(r"(?m)^=== ", text)[1:]:
        title, _, rest = part.partition("\n")
        policy, *lines = rest.split("\n>>> ")
        matches = [EXPECTED.fullmatch(f">>> {line.strip()}") for line in lines]
        assert all(matches), f"unreadable expectation in {title}: {lines}"
        found.append(Section(title, policy + "\n", tuple(match for match in matches if match)))
    return found


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.title)
def test_mistakes_are_told_with_place_and_nearest_word(section: Section, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(section.policy, encoding="utf-8")
    told = check(file, registry())
    want = [(int(one[1]), int(one[2]), one[3], one[5] or "") for one in section.expected]
    assert sorted((one.line, one.column, one.key, one.nearest) for one in told) == sorted(want)
    for one in section.expected:
        here = [mistake for mistake in told if (mistake.line, mistake.column) == (int(one[1]), int(one[2]))]
        assert any(one[4] in mistake.message for mistake in here), (one[4], [mistake.message for mistake in here])
    assert all(mistake.file == str(file) and mistake.source == section.policy.split("\n")[mistake.line - 1] for mistake in told)
    with pytest.raises(LoadError) as caught:
        load(file, registry())
    assert list(caught.value.mistakes) == told


def test_a_mistake_reads_like_a_compilers() -> None:
    mistake = Mistake("p.yaml", 3, 7, "rules.w.do", "must be 'block'", "block")
    assert str(mistake) == "p.yaml:3:7: rules.w.do: must be 'block'; did you mean 'block'?"
    assert str(Mistake("p.yaml", 1, 1, "", "the file is empty")) == "p.yaml:1:1: the file is empty"


def test_nothing_is_near_to_nonsense() -> None:
    assert nearest("zzzz", ["prompt", "answer"]) == ""
    assert nearest("Promt", ["prompt", "answer"]) == "prompt"
