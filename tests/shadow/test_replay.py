"""Two policies on the same prompts and recorded exchanges: what would change is told, and nothing else."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from classifiers.finding import Channel
from classifiers.registry import Registry
from policies.load import load
from proxy.cli.policy import app
from proxy.shadow.cases import CaseError, from_file
from tests.cli.running import started
from tests.fake_model import fake_model
from tests.reload.own import policy

LINES = [
    {"prompt": "hello"},
    {"prompt": "a kumquat, please"},
    {"prompt": "hello", "reasoning": "a pear", "answer": "one apple and one pear"},
    {"text": "a pear", "channel": "answer"},
    {"text": "a pear", "channel": "tool"},
    {"messages": [{"role": "user", "content": "a pear?"}, {"role": "tool", "content": "a pear"}], "answer": "no"},
]
MORE = "  pears: {use: patterns, on: [context, answer, tool], words: [pear], do: flag}\n"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["replay", *arguments])
    return done.exit_code, done.output


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    (tmp_path / "old.yaml").write_text(policy(), "utf-8")
    (tmp_path / "new.yaml").write_text(policy(word="quince", more=MORE), "utf-8")
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps(line) for line in LINES) + "\n\n", "utf-8")
    return str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml"), str(tmp_path / "lines.jsonl")


def test_a_policy_against_itself_changes_nothing(files: tuple[str, str, str]) -> None:
    old, _, lines = files
    code, out = run("--candidate", old, "--baseline", old, lines)
    assert code == 0
    assert "6 judged: 6 same, 0 stricter, 0 milder" in out


def test_what_would_change_is_told_by_rule_and_action(files: tuple[str, str, str]) -> None:
    old, new, lines = files
    code, out = run("--candidate", new, "--baseline", old, lines, "--json", "--show", "9")
    found = json.loads(out)
    assert code == 1
    assert (found["judged"], found["same"], found["stricter"], found["milder"]) == (6, 3, 2, 1)
    assert found["rules"]["pears"] == {"agree": 0, "only_live": 0, "only_shadow": 4, "other_action": 0}
    assert found["rules"]["agents"] == {"agree": 1, "only_live": 0, "only_shadow": 0, "other_action": 0}
    assert found["rules"]["asked"]["only_live"] == 1
    assert found["rules"]["said"] == {"agree": 1, "only_live": 0, "only_shadow": 0, "other_action": 0}
    assert {(one["baseline"], one["candidate"]): one["count"] for one in found["actions"]} == {
        ("allow", "allow"): 1,
        ("allow", "flag"): 2,
        ("block", "allow"): 1,
        ("block", "block"): 1,
        ("redact", "redact"): 1,
    }
    assert [one["case"].rpartition(":")[2] for one in found["changed"]] == ["2", "3", "4", "5", "6"]
    code, out = run("--candidate", new, "--baseline", old, lines, "--show", "1")
    assert code == 1
    assert "block → allow (asked: baseline only) a kumquat, please" in out
    assert "6 judged: 3 same, 2 stricter, 1 milder" in out


def test_plain_lines_are_prompts(files: tuple[str, str, str], tmp_path: Path) -> None:
    old, new, _ = files
    (tmp_path / "prompts.txt").write_text("hello\n\na kumquat\na quince\n", "utf-8")
    code, out = run("--candidate", new, "--baseline", old, str(tmp_path / "prompts.txt"), "--json")
    found = json.loads(out)
    assert (code, found["judged"], found["same"], found["stricter"], found["milder"]) == (1, 3, 1, 1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "lines.jsonl:1: it is not JSON"),
        ("[1]", "lines.jsonl:1: it is no JSON object"),
        ('{"other": 1}', "lines.jsonl:1: it has neither prompt, text nor messages; write"),
        ('{"prompt": "a"}\n{"prompt": 1}', "lines.jsonl:2: prompt: must be a text"),
        ('{"text": "a", "channel": "thought"}', "lines.jsonl:1: channel: must be one of prompt, context"),
        ('{"messages": []}', "lines.jsonl:1: messages: "),
        ('{"messages": [{"role": "human", "content": "a"}]}', "lines.jsonl:1: messages[0].role: Input should be one of system"),
        ('{"messages": [{"content": [{"type": "image_url"}]}]}', "Content parts of type 'image_url'"),
        ("", "there is nothing to judge: no prompt in"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(files: tuple[str, str, str], text: str, said: str) -> None:
    old, new, lines = files
    Path(lines).write_text(text, "utf-8")
    code, out = run("--candidate", new, "--baseline", old, lines)
    assert code == 2
    assert said in out
    Path(new).write_text("name: new\nrules: {a: {use: patters}}", "utf-8")
    code, out = run("--candidate", new, "--baseline", old, lines)
    assert (code, "did you mean 'patterns'?" in out) == (2, True)
    assert run("--candidate", new)[0] == 2


def test_cases_say_what_was_asked_and_what_was_said(files: tuple[str, str, str]) -> None:
    cases = list(from_file(Path(files[2])))
    asked = [leaf.channel for leaf in cases[-1].request(load("default", Registry())).leaves]
    assert asked == [Channel.PROMPT, Channel.CONTEXT]
    assert [[part.channel for part in case.said] for case in cases][2] == [Channel.REASONING, Channel.ANSWER]
    with pytest.raises(CaseError, match="cannot read"):
        list(from_file(Path(files[2] + ".not")))


def test_a_pipe_is_read_too(files: tuple[str, str, str]) -> None:
    old, new, _ = files
    for text, said in (("a kumquat\nhello\n", "2 judged: 1 same"), ('{"prompt": "hello"}\n', "1 judged: 1 same")):
        done = CliRunner().invoke(app, ["replay", "--candidate", new, "--baseline", old, "-"], input=text)
        assert said in done.output
    done = CliRunner().invoke(app, ["replay", "--candidate", new, "--baseline", old, "-"], input='{"prompt": "a"}\n{"prompt": 1}')
    assert (done.exit_code, "standard input:2: prompt: must be a text" in done.output) == (2, True)


def test_the_line_that_is_no_text_is_named(files: tuple[str, str, str], tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("hello\nä\n".encode("latin-1"))
    code, out = run("--candidate", files[1], "--baseline", files[0], str(tmp_path / "latin.txt"))
    assert (code, "latin.txt:2: it is not UTF-8" in out) == (2, True)


def test_an_interrupted_replay_tells_what_it_has_in_a_terminal_with_its_progress(
    files: tuple[str, str, str], tmp_path: Path
) -> None:
    many = tmp_path / "many.txt"
    many.write_text("a kumquat\n" * 50_000, "utf-8")
    program = str(Path(sys.executable).with_name("sluicegate"))
    terminal, end = pty.openpty()
    heeding = ("env", "--default-signal=INT")  # whoever runs the tests in the background has it ignored, and what it starts, too
    asked = [*heeding, program, "policy", "replay", "--candidate", files[1], "--baseline", files[0], str(many)]
    running = subprocess.Popen(asked, stdin=end, stdout=end, stderr=end)
    os.close(end)
    seen, told = b"", False
    while True:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # the terminal's other end is closed
            break
        seen += data
        if not told and b"judging" in seen and b"/50000" in seen:
            running.send_signal(signal.SIGINT)
            told = True
        if not data:
            break
    os.close(terminal)
    assert running.wait(60) == 130
    found = re.search(rb"interrupted: (\d+) of 50000 were judged", seen)
    assert found is not None
    assert int(found[1]) < 50_000
    assert b"Traceback" not in seen


def test_recorded_exchanges_are_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    monkeypatch.setenv("SLUICEGATE_KEY_TEXTS", key)
    keeps = "record: {texts: all, key_env: SLUICEGATE_KEY_TEXTS, channels: [prompt, context, reasoning, answer, tool, model]}\n"
    (tmp_path / "old.yaml").write_text(keeps + policy(), "utf-8")
    (tmp_path / "new.yaml").write_text(keeps + "dialogue: {turns: 1}\n" + policy("quince", "<other>", more=MORE), "utf-8")
    with (
        fake_model(scenes=[{"think": "Hm.\n", "say": "an apple and a pear"}]) as model,
        started(
            *("serve", "--policy", "old.yaml", "--upstream", model.url, "--port", "0", "--audit", "ledger.jsonl"),
            cwd=tmp_path,
            SLUICEGATE_KEY_TEXTS=key,
        ) as server,
    ):
        for messages in (
            [user("hello")],
            [user("a kumquat")],
            [user("hello"), {"role": "assistant", "content": "yes"}, user("so?")],
        ):
            body = {"model": "r1", "messages": messages}
            httpx.post(f"{server.where}/v1/chat/completions", json=body, trust_env=False, timeout=30)
        server.stop()
    files = ("--candidate", str(tmp_path / "new.yaml"), "--baseline", str(tmp_path / "old.yaml"))
    code, out = run(*files, "--recorded", "--texts", str(tmp_path / "texts"), "--json", "--show", "2")
    found = json.loads(out)
    assert code == 1
    assert (found["judged"], found["milder"]) == (3, 1)
    assert found["rules"]["said"]["agree"] == 1  # what the model wrote, before it was masked
    assert found["rules"]["pears"]["only_shadow"] == 1
    assert found["rules"]["dialogue"]["only_shadow"] == 1  # whose turns they were is on record
    assert found["rules"]["asked"]["only_live"] == 1
    assert all(one["case"].startswith("exc-") for one in found["changed"])
    at = ("--recorded", "--texts", str(tmp_path / "texts"))
    code, out = run(*files, *at, "--until", "2020-01-01")
    assert (code, "no texts of exchanges of these ids and dates" in out) == (2, True)
    (tmp_path / "texts" / "2020-01-01.jsonl").write_bytes(lines_of(tmp_path / "texts")[0].replace(b'"key":"', b'"key":"0'))
    code, out = run(*files, *at)
    assert (code, "3 judged" in out, "1 left out: the texts of exc-" in out) == (1, True, True)
    monkeypatch.setenv("SLUICEGATE_KEY_TEXTS", base64.b64encode(os.urandom(32)).decode())
    code, out = run(*files, *at)
    assert (code, "4 left out" in out, "nothing that could be judged" in out) == (2, True, True)
    monkeypatch.delenv("SLUICEGATE_KEY_TEXTS")
    code, out = run(*files, *at)
    assert (code, "SLUICEGATE_KEY_TEXTS (record.key_env) is not set" in out) == (2, True)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def lines_of(folder: Path) -> list[bytes]:
    return [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines() if line.strip()]
