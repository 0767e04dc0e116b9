"""Asks PyPI which of our pinned packages have known vulnerabilities: `make audit`.

0: none is known. 1: some are; they are listed with the versions that mend them. 3: PyPI's database of vulnerabilities cannot be
reached, so nobody can tell; with `--unreachable warn` that is said, and is 0 (for networks that mirror packages only).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
SECONDS = 300


def asked() -> list[dict[str, Any]] | None:
    """Each pinned package with its vulnerabilities, or the reason why it was left out; None where there was no answer at all."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "-r", str(PINS), "-f", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  (our own words)
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return packages


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--unreachable", choices=["fail", "warn"], default="fail")
    options = parser.parse_args()
    packages = asked() or []
    looked = [package for package in packages if "skip_reason" not in package]
    for package in looked:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "nothing yet"
            print(f"{package['name']} {package['version']}: {found['id']}, mended by {mended}")
    left = len(packages) - len(looked)
    if not looked or left:
        print(f"audit: PyPI said nothing of {left or 'all'} packages: whether they are vulnerable is not known.", file=sys.stderr)
    if any(package["vulns"] for package in looked):
        return 1
    if looked and not left:
        print(f"audit: {len(looked)} packages, no known vulnerabilities")
        return 0
    return 0 if options.unreachable == "warn" else 3


if __name__ == "__main__":
    sys.exit(main())
