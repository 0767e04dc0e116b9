from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from proxy.telemetry.logs import JsonLines, TextLines

SECRET = "what somebody wrote"


def record() -> logging.LogRecord:
    """A failure whose causes quote a text, at three levels."""
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise KeyError(SECRET) from error
    except KeyError:
        return logging.LogRecord("sluicegate", logging.ERROR, __file__, 1, "exchange %s failed", ("exc-1",), sys.exc_info())


@pytest.mark.parametrize("form", [JsonLines(), TextLines()])
def test_a_trace_says_where_and_what_but_not_what_was_written(form: logging.Formatter) -> None:
    told = form.format(record())
    assert SECRET not in told
    assert [word for word in ("exchange exc-1 failed", "KeyError", "ValueError", "test_logs.py") if word not in told] == []


def test_machines_get_one_object_a_line() -> None:
    line = JsonLines().format(record())
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "sluicegate", "exchange exc-1 failed")


PROGRAM = """
import logging
from proxy.telemetry.logs import configure
configure("info", {form!r})
logging.getLogger("sluicegate").info("hello")
logging.getLogger("sluicegate").debug("not this")
logging.getLogger("httpx").info("GET http://address")
"""


@pytest.mark.parametrize(("form", "first"), [("auto", "{"), ("json", "{"), ("text", "")])
def test_the_log_is_on_stderr_at_its_level(form: str, first: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(form=form)], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "hello" in line
    assert line.startswith(first)
