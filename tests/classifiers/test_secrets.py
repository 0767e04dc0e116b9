"""Secrets are found from their begin marker on, whatever the cut and the disguise, and prose is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from classifiers.finding import Channel, Finding, Passage
from classifiers.registry import Registry
from classifiers.secret_shapes import CATEGORIES, SHAPES
from classifiers.secrets import HOLD, Secrets, SecretsOptions
from tests.classifiers.cutting import cut, in_pieces, look, whole

SECRETS = Secrets(SecretsOptions())
MIXED = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z"  # letters and digits, 31 of them
HEXES = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n" + (MIXED * 2 + "\n") * 3 + "-----END RSA PRIVATE KEY-----"

KNOWN: list[tuple[str, str]] = [
    ("aws_access_key", "AKIAIOSFODNN7EXAMPLE"),
    ("aws_access_key", "ASIAIOSFODNN7EXAMPLE"),
    ("aws_secret_key", "secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("aws_secret_key", 'SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
    ("github_token", "ghp_" + MIXED + "abcde"),
    ("github_token", "ghs_" + MIXED + "abcde"),
    ("github_token", "github_pat_" + MIXED[:22] + "_" + MIXED + MIXED[:28]),
    ("gitlab_token", "glpat-" + MIXED[:20]),
    ("slack_token", "xoxb-123456789012-1234567890123-" + MIXED[:24]),
    ("slack_webhook", "hooks.slack.com/services/T0A1B2C3D/B0A1B2C3D/" + MIXED[:24]),
    ("anthropic_api_key", "sk-ant-api03-" + MIXED + "-" + MIXED),
    ("openai_api_key", "sk-proj-" + MIXED + "_" + MIXED),
    ("openai_api_key", "sk-" + HEXES[:32]),
    ("openrouter_api_key", "sk-or-v1-" + HEXES),
    ("google_api_key", "AIza" + MIXED + "-_ab"),
    ("google_client_secret", "GOCSPX-" + MIXED[:28]),
    ("stripe_key", "sk_live_" + MIXED[:24]),
    ("stripe_key", "rk_live_" + MIXED[:24]),
    ("twilio_key", "SK" + HEXES[:32]),
    ("sendgrid_key", "SG." + MIXED[:22] + "." + MIXED + MIXED[:12]),
    ("npm_token", "npm_" + MIXED + "abcde"),
    ("pypi_token", "pypi-AgEIcHlwaS5vcmc" + MIXED * 3),
    ("huggingface_token", "hf_" + MIXED + "abc"),
    ("digitalocean_token", "dop_v1_" + HEXES),
    ("telegram_bot_token", "123456789:AA" + MIXED + "-_"),
    ("discord_token", "MTA" + MIXED[:21] + ".GaBcDe." + MIXED[:27]),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
    ("azure_storage_key", "AccountKey=" + MIXED * 2 + "ab+/ab+/=="),
    ("connection_password", "postgres://joe:hunter2"),
    ("connection_password", "mongodb+srv://joe:s3cr3t"),
    ("authorization_header", "Authorization: Bearer " + MIXED),
    ("authorization_header", 'authorization": "basic am9lOmh1bnRlcjI='),
    ("password", "password = 'hunter2!"),
    ("password", "DB_PASSWORD=correct-h0rse"[3:]),
    ("password", "密码：hunter22"),
    ("private_key", PEM),
    ("private_key", PEM.replace("RSA ", "")),
    ("private_key", PEM.replace("RSA ", "ENCRYPTED ")),
    ("private_key", PEM.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK")),
    ("private_key", f"PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{MIXED}\nPrivate-MAC: {HEXES}"),
]
AFTER = {"connection_password": "@db.example.org/x"}


@pytest.mark.parametrize(("category", "secret"), KNOWN)
def test_a_known_secret_is_found_exactly(category: str, secret: str) -> None:
    text = f"Here it is: {secret}{AFTER.get(category, '')} and that was it."
    found = [(f.category, text[f.start : f.end]) for f in look(SECRETS, text)]
    assert found == [(category, secret)]


def test_every_category_has_an_example() -> None:
    rare = {"google_oauth_token", "groq_api_key", "xai_api_key", "mailgun_key", "shopify_token", "age_secret_key"}
    assert {category for category, _ in KNOWN} | rare == CATEGORIES


@pytest.mark.parametrize(
    "text",
    [
        "password: string, token: your_api_key, secret=${VAR}, api_key: <token>, pwd=changeme, api_key=xxxxxxxxxxx",
        "max_tokens: 4096, token_count = 12, password = os.environ['PW1'], secret: config.v1.password_2",
        "The secret: never give up. My password is safe. A token is a unit of text.",
        "risk-abcdefghijklmnopqrstuvwxyz0123 and task-ant-abcdefghijklmnopqrstuv",
        "postgres://user:password@localhost/db and https://example.org:8080/path@home",
        "Authorization: Bearer YOUR_API_KEY and Authorization: Bearer <token>",
        "| a | b |\n|-----|-----|\n----- BEGIN of a table",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "SG.1 sk-learn sk-image hf_hub npm_config AKIA SKU eyJ ya29 pypi-server xoxo",
    ],
)
def test_placeholders_and_prose_are_not_secrets(text: str) -> None:
    assert look(SECRETS, text) == []


def test_masks_say_what_was_there_and_keep_the_key_word() -> None:
    assert [f.mask for f in look(SECRETS, f"k sk-proj-{MIXED}")] == ["<OPENAI_API_KEY>"]
    assert [f.mask for f in look(SECRETS, 'password = "hunter2!"')] == ['password = "<PASSWORD>']
    assert [f.mask for f in look(SECRETS, "redis://u:p4ss@h")] == ["redis://u:<CONNECTION_PASSWORD>"]


def test_what_says_more_wins() -> None:
    text = f'api_key = "sk-proj-{MIXED}"'
    assert [f.category for f in look(SECRETS, text)] == ["openai_api_key"]
    assert [f.category for f in look(SECRETS, f"secret=x1-{PEM}")] == ["private_key"]
    assert len(look(SECRETS, PEM.replace("MIIE", "\nAKIAIOSFODNN7EXAMPLE\n"))) == 1


def test_a_key_block_without_an_end_is_open_and_at_the_end_of_the_channel_closed() -> None:
    begun = "so: " + PEM[:90]
    assert look(SECRETS, begun, final=False) == [Finding("private_key", 1.0, 4, len(begun), "<PRIVATE_KEY>", open=True)]
    assert look(SECRETS, begun) == [Finding("private_key", 1.0, 4, len(begun), "<PRIVATE_KEY>")]
    assert SECRETS.safe_upto(begun) == len(begun)


def test_a_token_without_an_end_waits_and_then_is_open() -> None:
    short, long = "a sk-proj-" + MIXED, "a sk-proj-" + "x1" * HOLD
    assert SECRETS.safe_upto(short) == 2
    assert SECRETS.safe_upto(long) == len(long)
    assert [(f.start, f.end, f.open) for f in look(SECRETS, long, final=False)] == [(2, len(long), True)]


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@pytest.mark.parametrize("secret", [secret for category, secret in KNOWN if category in {"openai_api_key", "private_key", "jwt"}])
def test_disguise_does_not_help(secret: str) -> None:
    for disguised in (
        _wide(secret),
        "\u200b".join(secret),
        secret.replace("-", "&#45;"),
        "s\u00ad" + secret[1:] if secret[0] == "s" else secret,
    ):
        text = f"so {disguised} 好"
        assert [text[f.start : f.end] for f in look(SECRETS, text)] == [disguised]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("hello wor", ""),
        ("the task", ""),
        ("hello s", "s"),
        ("my sk", "sk"),
        ("a risk", ""),
        ("a risk-", "-"),  # a key block may start within a word
        ("so -----BEGIN RSA PRI", "-----BEGIN RSA PRI"),
        ("a password is", ""),
        ("password = abc", "password = abc"),
        ("room 12", "12"),
        ("room 12 ", ""),
        ("今天天气很好", ""),
    ],
)
def test_only_a_live_beginning_is_held(text: str, held: str) -> None:
    assert text[SECRETS.safe_upto(text) :] == held


def test_categories_can_be_chosen() -> None:
    text = f"AKIAIOSFODNN7EXAMPLE sk-proj-{MIXED}"
    only = Secrets(SecretsOptions.model_validate({"only": ["aws_access_key"]}))
    rest = Secrets(SecretsOptions.model_validate({"except": ["aws_access_key"]}))
    assert [f.category for f in look(only, text)] == ["aws_access_key"] == sorted(only.categories)
    assert [f.category for f in look(rest, text)] == ["openai_api_key"]
    assert rest.categories == CATEGORIES - {"aws_access_key"}


@pytest.mark.parametrize("options", [{"only": ["aws_acces_key"]}, {"except": list(CATEGORIES)}, {"onyl": []}])
def test_a_wrong_choice_is_refused(options: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError, match=r"did you mean 'aws_access_key'|leave no kind|Extra inputs"):
        SecretsOptions.model_validate(options)


def test_the_registry_knows_it() -> None:
    spec = Registry().spec("secrets")
    assert spec.build(spec.options()).categories == CATEGORIES


WORDS = [secret + AFTER.get(category, "") for category, secret in KNOWN] + [
    *("hello", " ", " ", "\n", "s", "sk", "-", "=", ":", "token", "password", "eyJ", ".", '"', "-----BEGIN", "PRIVATE KEY-----"),
    *("-----END RSA PRIVATE KEY-----", "sk-proj-" + "a1B2" * 200, "请", "密码", "：", "AKIA", "0123456789", "x" * 300, "@"),
    *(
        "authorization: bearer ",
        "https://a:" + "b1" * 80,
        "\u200b",
        "\u200b".join(f"sk-{HEXES}"),
        "&#45;",
        "&",
        _wide("sk-proj-"),
    ),
]
texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=10).map("".join)


@given(texts, st.lists(st.integers(0, 5000), max_size=8), st.sampled_from([0, 0, 1, 30, 400]))
@example("ab " + PEM + " and " + PEM[:200], [5, 20, 40, 100, 220, 280, 300], 0)
@example("sk-proj-" + "a1B2" * 200 + " x", list(range(0, 900, 40)), 130)
@example("Private-MAC: " + HEXES + " " + f"PuTTY-User-Key-File-2: x\nPrivate-MAC: {HEXES}", list(range(100, 180, 3)), 1)
@settings(max_examples=300, deadline=None)
def test_the_cut_changes_nothing(text: str, places: list[int], lag: int) -> None:
    found, _ = in_pieces(SECRETS, cut(text, places), lag)
    assert found == whole(SECRETS, text)


@given(st.sampled_from(KNOWN), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_character_by_character_changes_nothing(known: tuple[str, str], step: int) -> None:
    text = f"It is {known[1]}{AFTER.get(known[0], '')} so. And {known[1][:-1]}"
    found, held = in_pieces(SECRETS, [text[i : i + step] for i in range(0, len(text), step)])
    assert found == whole(SECRETS, text)
    assert held <= HOLD + 1


@given(texts, st.integers(0, 3000))
@settings(max_examples=200, deadline=None)
def test_where_judging_begins_changes_nothing(text: str, place: int) -> None:
    every = look(SECRETS, text)
    begin = place % (len(text) + 1)
    if not any(f.start < begin < f.end for f in every):
        left = max(0, begin - SECRETS.lookback)
        found = look(SECRETS, text[left:], begin - left)
        assert [(f.start + left, f.end + left) for f in found] == [(f.start, f.end) for f in every if f.start >= begin]


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" * 50_000,
        "sk-" * 60_000,
        "token:" * 30_000,
        "-----BEGIN RSA PRIVATE KEY-----" * 6_000,
        "postgres://a:" * 15_000,
        "eyJ." * 50_000,
        "a1" * 100_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.process_time()
    look(SECRETS, text)
    SECRETS.safe_upto(text)
    assert time.process_time() - started < 4


def test_heads_fit_what_is_kept_of_an_open_finding() -> None:
    longest = {
        shape.category: sum(max(map(len, p.options)) if hasattr(p, "options") else p.most for p in shape.head) for shape in SHAPES
    }
    assert max(longest.values()) < HOLD == SECRETS.opener


def test_one_passage_of_many_is_judged_alone() -> None:
    passages = [Passage(Channel.PROMPT, "nothing"), Passage(Channel.PROMPT, "AKIAIOSFODNN7EXAMPLE")]
    assert [len(look(SECRETS, p.text)) for p in passages] == [0, 1]
