"""How the house is built: which way imports point, what files are called and how long they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("classifiers", "policies", "proxy")
LAYER = {name: height for height, name in enumerate(PACKAGES)}
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMELESS = {"utils", "util", "helpers", "helper", "base", "common", "manager", "handler", "misc"}
MOST_LINES = 400  # the aim is 250; what is longer than this is two ideas


def imported(path: Path) -> Iterator[str]:
    """The top packages that a file imports anywhere, inside functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_imports_point_one_way(path: Path) -> None:
    own = LAYER[path.relative_to(ROOT).parts[0]]
    assert [name for name in imported(path) if LAYER.get(name, -1) > own] == []


def test_the_import_contract_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_a_file_holds_one_idea_with_a_name(path: Path) -> None:
    assert path.stem not in NAMELESS
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
    assert (path.parent / "__init__.py").is_file()


def test_test_folders_are_packages() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [place(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
