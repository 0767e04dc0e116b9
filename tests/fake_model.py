"""A model server for tests: the rehearsal server behind a real uvicorn, on a free loopback port, in a thread.

with fake_model(script="scenes: [{when: hello, say: hi}]", dialect="sglang") as model:
    ...  # model.url, model.requests, model.aborted, model.wait("aborted")
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from proxy.upstream.rehearse import Diary, Quirk, rehearse_app
from proxy.upstream.script import Scene, Script, load_script, parse_script
from proxy.upstream.shapes import Dialect


class _Server(uvicorn.Server):
    """Stops when told, at once: not at the next tick of a clock, and without waiting for replies that go on."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        if not self.should_exit:
            await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for task in (tasks := list(self.server_state.tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(100):  # those who were let in while it closed, too: a loop that ends under a connection hangs
            await asyncio.sleep(0.01)
            if not (left := list(self.server_state.connections)):
                break
            for connection in left:
                connection.transport.abort()

    def stop(self) -> None:
        self.should_exit = self.force_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)


class FakeModel:
    """What a test sees of the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        self.diary = Diary(note=self._note)
        self._happened: dict[str, int] = {}
        self._news = threading.Condition()

    def _note(self, what: str) -> None:
        with self._news:
            self._happened[what] = self._happened.get(what, 0) + 1
            self._news.notify_all()

    @property
    def requests(self) -> Sequence[dict[str, Any]]:
        """The bodies of the chat requests, oldest first."""
        return list(self.diary.requests)

    @property
    def headers(self) -> Sequence[dict[str, str]]:
        """The headers of the chat requests, names in lower case."""
        return list(self.diary.headers)

    @property
    def aborted(self) -> int:
        """Replies whose client left before their end."""
        return self.diary.aborted

    def wait(self, what: str, times: int = 1, within: float = 1.0) -> bool:
        """Whether `request`, `finished` or `aborted` happened that often, now or `within` seconds."""
        with self._news:
            return self._news.wait_for(lambda: self._happened.get(what, 0) >= times, within)


@contextmanager
def fake_model(
    script: Script | Scene | str = "tour",
    dialect: Dialect = "vllm",
    *,
    quirks: Sequence[Quirk] = (),
    api_key: str = "",
    scenes: Sequence[Scene | dict[str, Any]] = (),
    port: int = 0,
) -> Iterator[FakeModel]:
    """Serves a script: an object, YAML text, a path or a shipped name, or single `scenes`, of which the last plays otherwise.

    `port` is that of a model that died, where one comes back.
    """
    with socket.create_server(("127.0.0.1", port), backlog=512) as listener:  # listens at once: no client comes too early
        model = FakeModel(listener.getsockname()[1])
        app = rehearse_app(_script(script, scenes), dialect, diary=model.diary, quirks=frozenset(quirks), api_key=api_key)
        config = uvicorn.Config(
            app, log_level="critical", lifespan="off", access_log=False, timeout_graceful_shutdown=1, ws="none"
        )
        server = _Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="fake-model", daemon=True)
        thread.start()
        try:
            yield model
        finally:
            server.stop()
            thread.join(30)
            assert not thread.is_alive(), "the fake model does not stop"


def _script(script: Script | Scene | str, scenes: Sequence[Scene | dict[str, Any]]) -> Script:
    if scenes:
        every = [scene if isinstance(scene, Scene) else Scene.model_validate(scene) for scene in scenes]
        return Script(scenes=tuple(every[:-1]), otherwise=every[-1])
    if isinstance(script, Scene):
        return Script(otherwise=script)
    if isinstance(script, Script):
        return script
    return parse_script(script, "test") if "\n" in script or ":" in script else load_script(script)
