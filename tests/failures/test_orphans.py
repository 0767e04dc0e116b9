"""The supervisor of several workers is killed: nothing of the program stays behind."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import psutil

from tests.failures.crowd import Crowd, script
from tests.failures.processes import PATIENCE, proven, rehearsing, serving
from tests.system.watched import until


def free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """They speak to the end to those who listen, put that on record, and let go of the port."""
    with rehearsing(tmp_path, script("50ms")) as model, serving(tmp_path, model.where, "--workers", "2") as gate:
        assert until(lambda: len(gate.workers()) == 2)
        workers = gate.workers()
        with Crowd(f"{gate.where}/v1", 6) as crowd:
            assert until(lambda: crowd.speaking == 6)
            os.kill(gate.process.pid, signal.SIGKILL)
            assert until(lambda: any(each.end != "answered" for each in crowd.ended), PATIENCE)  # nobody listens any more
        gone, alive = psutil.wait_procs(workers, PATIENCE)
        assert (len(gone), alive) == (2, [])
        assert until(lambda: free(gate.port))
    ends = {each.end for each in crowd.ended}
    assert ends <= {"answered", "cut"}, ends
    assert sum(each.end == "answered" for each in crowd.ended) >= 6
    assert "unfinished" not in proven(tmp_path / "gate.jsonl")
