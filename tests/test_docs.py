"""What the documentation shows works."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import ModuleType

import pytest

from classifiers.finding import Channel, Context, Passage
from classifiers.registry import Registry
from policies.load import load

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]+)?\)")


def blocks(page: Path, language: str) -> list[str]:
    """The page's code blocks in `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert [link for link, _ in LINK.findall(text) if link and not (page.parent / link).exists()] == []
    headings = {
        re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert [anchor for link, anchor in LINK.findall(text) if anchor and not link and anchor[1:] not in headings] == []


def test_the_page_about_classifiers_adds_one_in_under_30_lines(tmp_path: Path) -> None:
    page = ROOT / "docs" / "classifiers.md"
    (source,), (written,) = blocks(page, "python"), blocks(page, "yaml")
    assert len(source.splitlines()) < 30
    module = ModuleType("acme_gate")
    exec(compile(source, str(page), "exec"), module.__dict__)  # noqa: S102  # the page's own code is what is tested
    registry = Registry([module.ticket])

    policy = load(policy_file(tmp_path, written), registry)
    rule = next(rule for rule in policy.rules if rule.name == "tickets")
    spec = registry.spec(rule.use)
    look = spec.build(spec.options(**rule.options))
    text = "I opened ACME-20391 for you."
    (found,) = asyncio.run(look([Passage(Channel.ANSWER, text)], Context()))
    assert [(text[one.start : one.end], one.mask) for one in found] == [("ACME-20391", "<TICKET>")]  # type: ignore[union-attr]  # judged


def test_the_readme_shows_policies_that_load(tmp_path: Path) -> None:
    shown = [block for block in blocks(ROOT / "README.md", "yaml") if "rules:" in block]
    assert shown
    for written in shown:
        assert load(policy_file(tmp_path, written), Registry()).rules


def policy_file(folder: Path, written: str) -> Path:
    file = folder / "shown.yaml"
    file.write_text(written, "utf-8")
    return file
