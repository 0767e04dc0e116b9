"""The shapes of secrets: what a key, a token or a key block looks like, as data.

A shape has a head, told from ordinary text by its first characters and of bounded length, and often a tail: the run of characters
that still belongs to it, however long. From a head's pieces two expressions are made: one that matches it, and one that matches
every beginning of it, read backwards. The second is laid against the end of a text that still grows, and tells how far back
a secret may just be starting; it stops at the first letter that fits nothing, which in prose is almost at once.

Formats are those the providers document or that their own push protection looks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import re2


@dataclass(frozen=True, slots=True)
class Words:
    """One of some fixed texts. An empty one makes the piece optional."""

    options: tuple[str, ...]
    any_case: bool = False

    def whole(self, *, back: bool = False) -> str:
        options = sorted(self.options, key=len, reverse=True)
        return self._cased("|".join(re2.escape(option[::-1] if back else option) for option in options))

    def begun(self) -> str:
        return self._cased("|".join(_begun(option) for option in self.options))

    def _cased(self, expression: str) -> str:
        return f"(?i:{expression})" if self.any_case else f"(?:{expression})"


@dataclass(frozen=True, slots=True)
class Run:
    """`least` to `most` characters of a class, written as in an expression: `[A-Z0-9]`."""

    of: str
    least: int
    most: int

    def whole(self, *, back: bool = False) -> str:
        return f"{self.of}{{{self.least},{self.most}}}"

    def begun(self) -> str:
        return f"{self.of}{{0,{self.most}}}"


Piece = Words | Run


def _begun(word: str) -> str:
    """Every proper beginning of a word, read backwards: `abc` gives `(?:(?:b)?a)?`."""
    expression = ""
    for letter in reversed(word[:-1]):
        expression = f"(?:{expression}{re2.escape(letter)})?"
    return expression


def whole(pieces: tuple[Piece, ...]) -> str:
    """The expression that matches all pieces in a row."""
    return "".join(piece.whole() for piece in pieces)


def begun(pieces: tuple[Piece, ...]) -> str:
    """The expression that matches every beginning of the pieces in a row, read backwards."""
    expression = pieces[-1].begun()
    for piece in reversed(pieces[:-1]):
        expression = f"(?:{expression}{piece.whole(back=True)}|{piece.begun()})"
    return expression


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of secret looks like.

    `head` is followed by any number of characters of the class `tail`. `keep` is how many pieces of the head are no secret (a
    key word, a header's name) and stay readable in the mask; `after` is how many characters at the end of the head do not belong
    to the secret. `accept` looks at the secret's part of the head. A key block has `end`, the pieces of its end marker, and goes
    on to there. `rank` settles overlaps: a higher one wins.
    """

    category: str
    head: tuple[Piece, ...]
    tail: str = ""
    score: float = 1.0
    keep: int = 0
    after: int = 0
    accept: Callable[[str], bool] = lambda value: True
    end: tuple[Piece, ...] = ()
    end_tail: str = ""
    rank: int = 1


ALNUM, BASE64URL, BASE64 = "[A-Za-z0-9]", "[A-Za-z0-9_-]", "[A-Za-z0-9+/]"
HEX, UPPER = "[0-9a-f]", "[A-Z0-9]"
VALUE = r"[^\s\"'`<>,;(){}\[\]\\]"
TOKEN68 = "[A-Za-z0-9._~+/=-]"  # RFC 9110, 11.2
IN_URL = r"[^\s@/\"'`<>\\]"
DECIDED = 128  # characters of a value after which it is judged by what has come

_BLANK, _QUOTE = Run("[ \t]", 0, 3), Run(r"[\\\"'`]", 0, 2)
_ASSIGN: tuple[Piece, ...] = (_QUOTE, _BLANK, Run("[:=>]", 1, 2), _BLANK, _QUOTE)

CHINESE = str.maketrans("密码碼口令钥鑰", "\x01\x02\x02\x03\x04\x05\x05")
"""Characters of Chinese key words, and the control characters that stand for them: expressions here see a byte per character."""

PASSWORD_WORDS = (
    *("password", "passwd", "pwd", "passphrase", "secret", "token", "credential", "private_key"),
    *(
        "api_key",
        "api-key",
        "apikey",
        "api key",
        "access_key",
        "access-key",
        "accesskey",
        "auth_key",
        "authkey",
        "encryption_key",
    ),
    *(word.translate(CHINESE) for word in ("密码", "口令", "密钥")),
)
SCHEMES = (
    *("postgres", "postgresql", "mysql", "mariadb", "mongodb", "mongodb+srv", "redis", "rediss", "amqp", "amqps", "mssql"),
    *("sqlserver", "oracle", "clickhouse", "ftp", "sftp", "ssh", "smtp", "smtps", "ldap", "ldaps", "http", "https"),
)

_EMPTY = re.compile(
    r"(?i)(?:your|my|the|some|test|example|sample|dummy|fake|placeholder|change[-_]?me|todo|none|null|true|false|undefined|redacted)"
    r"(?:[-_. ]|$)|(?:pass(?:word|wd)?|secret|token|key|string|xxx+)[-_0-9]{0,3}$|[$%]|\*{3}|https?:|env[.\[]|process\.|os\."
)
_PLACE = re.compile(r"(?i)placeholder|change[-_]?me|your[-_]|example|redacted|x{6}|\*{4}|\.\.\.|0{8}|1234567890abcdef")


def no_placeholder(value: str) -> bool:
    """Whether a value may be a real one: not `your_api_key`, `${VAR}`, `changeme`, `xxxx`, nor one character over and over."""
    return len(set(value)) > 2 and not _EMPTY.match(value) and not _PLACE.search(value)


def secret_value(value: str) -> bool:
    """Whether the value of an assignment looks chosen or made, not like a word of prose, a type or a name in a program."""
    if not no_placeholder(value):
        return False
    letters, digits = any(c.isalpha() for c in value), sum(c.isdigit() for c in value)
    name = re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", value) is not None
    marks = any(c in "!@#^&*?~+=|:" for c in value)
    return letters and not name and (digits > 0 or marks)


def made_value(value: str) -> bool:
    """Whether a header's value looks like a token: no placeholder, and not a plain word."""
    return no_placeholder(value) and any(c.isdigit() for c in value)


def _token(category: str, prefixes: tuple[str, ...], of: str, least: int) -> Shape:
    return Shape(category, (Words(prefixes), Run(of, least, least)), tail=of)


def _block(category: str, begin: tuple[Piece, ...], end: tuple[Piece, ...], end_tail: str = "") -> Shape:
    return Shape(category, begin, end=end, end_tail=end_tail, rank=2)


def _pem(word: str) -> tuple[Piece, ...]:
    return (Words((f"-----{word} ", f"---- {word} ")), Run("[A-Z0-9 ]", 0, 24), Words(("PRIVATE KEY",)),
            Words(("-----", " BLOCK-----", " ----")))  # fmt: skip


def _url(reach: tuple[Piece, ...], tail: str, after: int) -> Shape:
    start: tuple[Piece, ...] = (Words(SCHEMES, any_case=True), Words(("://",)), Run(r"[^\s:/@\"'`<>\\]", 0, 64), Words((":",)))
    return Shape("connection_password", start + reach, tail=tail, score=0.9, keep=4, after=after, accept=no_placeholder)


SHAPES: tuple[Shape, ...] = (
    _block("private_key", _pem("BEGIN"), _pem("END")),
    _block("private_key", (Words(("PuTTY-User-Key-File-",)), Run("[0-9]", 1, 1), Words((":",))),
           (Words(("Private-MAC:", "Private-Hash:")), Run(" ", 0, 2), Run(HEX, 40, 40)), HEX),
    Shape("aws_access_key", (Words(("AKIA", "ASIA")), Run(UPPER, 16, 16)), tail=UPPER),
    Shape("aws_secret_key", (Words(("secret",), any_case=True), Run("[_ .-]", 0, 1), Words(("access", ""), any_case=True),
          Run("[_ .-]", 0, 1), Words(("key",), any_case=True), *_ASSIGN, Run(BASE64, 40, 40)), tail="[A-Za-z0-9+/=]", score=0.95,
          keep=10, accept=lambda value: len(set(value)) > 8),
    _token("github_token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), ALNUM, 30),
    _token("github_token", ("github_pat_",), "[A-Za-z0-9_]", 40),
    _token("gitlab_token", ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-"), BASE64URL, 20),
    _token("slack_token", ("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"), "[A-Za-z0-9-]", 20),
    Shape("slack_webhook", (Words(("hooks.slack.com/services/T",)), Run(UPPER, 6, 12), Words(("/B",)), Run(UPPER, 6, 12),
          Words(("/",)), Run(ALNUM, 20, 20)), tail=ALNUM),
    _token("anthropic_api_key", ("sk-ant-",), BASE64URL, 20),
    _token("openai_api_key", ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"), BASE64URL, 16),
    _token("openai_api_key", ("sk-",), ALNUM, 20),  # DeepSeek's keys look the same
    _token("openrouter_api_key", ("sk-or-v1-",), HEX, 32),
    _token("google_api_key", ("AIza",), BASE64URL, 35),
    _token("google_oauth_token", ("ya29.",), BASE64URL, 20),
    _token("google_client_secret", ("GOCSPX-",), BASE64URL, 20),
    _token("stripe_key", ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"), ALNUM, 16),
    _token("twilio_key", ("SK",), HEX, 32),
    Shape("sendgrid_key", (Words(("SG.",)), Run(BASE64URL, 16, 32), Words((".",)), Run(BASE64URL, 16, 16)), tail=BASE64URL),
    _token("npm_token", ("npm_",), ALNUM, 30),
    _token("pypi_token", ("pypi-",), BASE64URL, 40),
    _token("huggingface_token", ("hf_", "api_org_"), ALNUM, 30),
    _token("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), HEX, 40),
    _token("groq_api_key", ("gsk_",), ALNUM, 40),
    _token("xai_api_key", ("xai-",), ALNUM, 40),
    _token("mailgun_key", ("key-",), HEX, 32),
    _token("shopify_token", ("shpat_", "shpca_", "shppa_", "shpss_"), "[0-9a-fA-F]", 32),
    _token("age_secret_key", ("AGE-SECRET-KEY-1",), UPPER, 40),
    Shape("telegram_bot_token", (Run("[0-9]", 8, 10), Words((":AA",)), Run(BASE64URL, 32, 32)), tail=BASE64URL),
    Shape("discord_token", (Words(("MT", "Mj", "Mz", "MD", "ND", "NT", "Nj", "Nz", "OD", "OT")), Run(BASE64URL, 21, 28),
          Words((".",)), Run(BASE64URL, 6, 6), Words((".",)), Run(BASE64URL, 27, 27)), tail=BASE64URL),
    Shape("jwt", (Words(("eyJ",)), Run(BASE64URL, 10, 240), Words((".eyJ",)), Run(BASE64URL, 10, 10)), tail="[A-Za-z0-9_.-]"),
    Shape("azure_storage_key", (Words(("AccountKey=", "SharedAccessKey=")), Run(BASE64, 40, 40)), tail="[A-Za-z0-9+/=]", keep=1),
    _url((Run(IN_URL, 3, DECIDED), Words(("@",))), "", 1),
    _url((Run(IN_URL, DECIDED + 1, DECIDED + 1),), IN_URL, 0),
    Shape("authorization_header", (Words(("authorization",), any_case=True), *_ASSIGN,
          Words(("bearer", "basic", "token"), any_case=True), Run("[ \t]", 1, 3), Run(TOKEN68, 8, DECIDED)), tail=TOKEN68,
          score=0.9, keep=8, accept=made_value),
    Shape("password", (Words(PASSWORD_WORDS, any_case=True), Run("[A-Za-z0-9_-]", 0, 16), *_ASSIGN, Run(VALUE, 6, DECIDED)),
          tail=VALUE, score=0.5, keep=7, accept=secret_value, rank=0),
)  # fmt: skip
"""All shapes. `password` comes last in rank: it is dropped where one of the others says more about the same value."""

CATEGORIES: frozenset[str] = frozenset(shape.category for shape in SHAPES)
