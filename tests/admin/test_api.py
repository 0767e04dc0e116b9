"""The admin API on a real server: who may do what, what it does at once, and what is on record."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.access.keys import Key
from proxy.access.roles import Role
from tests.access.own import POLICY, REFRESH, Keys, wait_until
from tests.access.test_door import ask
from tests.fake_model import FakeModel, fake_model
from tests.stack import Stack, stack


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(script="scenes: [{think: 'Hm.', say: 'Hello.'}]") as running:
        yield running


class Admin:
    """A server and an operator, as a script has them."""

    def __init__(self, running: Stack, keys: Keys) -> None:
        self.running, self.keys = running, keys
        self.operator = keys.admin(Role.OPERATOR, name="ada")

    def call(self, method: str, path: str, body: Any = None, key: Key | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {(key or self.operator).text}"}
        return self.running.client.request(method, f"{self.running.root}/admin/v1{path}", json=body, headers=headers)

    def done(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for record in self.running.sink.records if record["event"] == "administered"]


@pytest.fixture
def admin(model: FakeModel, tmp_path: Path) -> Iterator[Admin]:
    keys = Keys(str(tmp_path / "gate.db"))
    with stack(POLICY, model.url, database=keys.address, admin=True, keys_refresh_seconds=REFRESH) as running:
        made = Admin(running, keys)
        wait_until(lambda: made.call("GET", "/whoami").status_code == 200)
        yield made


def test_without_the_setting_or_an_administrator_there_is_no_admin_api(model: FakeModel, tmp_path: Path) -> None:
    keys = Keys(str(tmp_path / "gate.db"))
    with stack(POLICY, model.url, database=keys.address, admin=True, keys_refresh_seconds=REFRESH) as running:
        assert running.client.get(f"{running.root}/admin/v1/keys").json()["error"]["code"] == "unknown_route"
    operator = keys.admin(Role.OPERATOR)
    with stack(POLICY, model.url, database=keys.address) as running:
        refused = running.client.get(f"{running.root}/admin/v1/keys", headers={"authorization": f"Bearer {operator.text}"})
        assert refused.status_code == 404
        assert "/admin/v1/keys" not in running.client.get(f"{running.root}/openapi.json").json()["paths"]


def test_a_key_from_its_making_to_its_end(admin: Admin) -> None:
    admin.done("POST", "/tenants", {"name": "acme", "limits": {"streams": 3}})
    made = admin.done("POST", "/keys", {"tenant": "acme", "name": "ci", "limits": {"requests_per_minute": 60}, "expires": "90d"})
    assert ask(admin.running, made["key"]).status_code == 200
    assert ask(admin.running, "sk-none").status_code == 401
    shown = admin.done("GET", f"/keys/{made['id']}")
    assert (shown["tenant"], shown["name"], shown["standing"]) == ("acme", "ci", "active")
    assert shown["limits"]["requests_per_minute"] == 60
    assert made["key"] not in str(admin.done("GET", "/keys"))

    changed = admin.done("PATCH", f"/keys/{made['id']}", {"routes": ["other"], "expires": "never"})
    assert (changed["routes"], changed["expires"], changed["name"]) == (["other"], None, "ci")
    assert ask(admin.running, made["key"]).status_code == 403

    admin.done("PATCH", f"/keys/{made['id']}", {"routes": None})
    new = admin.done("POST", f"/keys/{made['id']}/rotate", {"overlap": "1h"})
    assert [ask(admin.running, key).status_code for key in (made["key"], new["key"])] == [200, 200]

    assert admin.done("POST", f"/keys/{made['id']}/revoke")["standing"] == "revoked"
    assert [ask(admin.running, key).status_code for key in (made["key"], new["key"])] == [401, 401]
    assert admin.call("PATCH", f"/keys/{made['id']}", {"name": "x"}).status_code == 409


def test_a_closed_tenant_takes_its_keys_along(admin: Admin) -> None:
    admin.done("POST", "/tenants", {"name": "acme"})
    made = admin.done("POST", "/keys", {"tenant": "acme"})
    assert ask(admin.running, made["key"]).status_code == 200
    assert admin.done("PATCH", "/tenants/acme", {"note": "leaving"})["note"] == "leaving"
    assert admin.done("POST", "/tenants/acme/close")["closed"] is not None
    assert ask(admin.running, made["key"]).status_code == 401
    assert admin.call("POST", "/keys", {"tenant": "acme"}).status_code == 409
    assert [one["name"] for one in admin.done("GET", "/tenants")["data"]] == ["acme", "default"]


@pytest.mark.parametrize("role", Role)
def test_what_each_role_may_do(admin: Admin, role: Role) -> None:
    key = admin.keys.admin(role)
    wait_until(lambda: admin.call("GET", "/whoami", key=key).status_code == 200)
    assert admin.call("GET", "/whoami", key=key).json()["role"] == role
    reads, writes = role in (Role.OPERATOR, Role.AUDITOR), role is Role.OPERATOR
    assert admin.call("GET", "/keys", key=key).status_code == (200 if reads else 403)
    assert admin.call("GET", "/tenants", key=key).status_code == (200 if reads else 403)
    before = len(admin.records)
    assert admin.call("POST", "/keys", {}, key=key).status_code == (201 if writes else 403)
    assert admin.call("POST", "/tenants", {"name": "acme"}, key=key).status_code == (201 if writes else 403)
    assert len(admin.records) == before + 2 * writes


def test_callers_keys_do_not_administer(admin: Admin) -> None:
    caller = admin.keys.key()
    for word in (caller.text, "x", "sk-sg-admin-x", admin.operator.text[:-1]):
        answer = admin.running.client.get(f"{admin.running.root}/admin/v1/keys", headers={"authorization": f"Bearer {word}"})
        assert answer.status_code == 401


def test_nobody_gives_themselves_another_role_from_afar(admin: Admin) -> None:
    auditor = admin.keys.admin(Role.AUDITOR)
    for path in ("revoke", "rotate"):
        assert admin.call("POST", f"/keys/{auditor.id}/{path}", {}).status_code == 403
    assert admin.call("PATCH", f"/keys/{admin.operator.id}", {"expires": "never"}).status_code == 403
    assert admin.call("POST", "/keys", {"role": "operator"}).status_code == 400


def test_every_action_is_on_both_records_without_a_secret(admin: Admin) -> None:
    made = admin.done("POST", "/keys", {"name": "ci"})
    admin.done("POST", f"/keys/{made['id']}/rotate", {"overlap": "0"})
    admin.done("POST", f"/keys/{made['id']}/revoke")
    told = [(record["who"], record["role"], record["action"], record["target"]) for record in admin.records]
    assert told == [(admin.operator.id, "operator", f"key.{what}", made["id"]) for what in ("create", "rotate", "revoke")]

    kept = admin.done("GET", "/actions")["data"]
    assert [(one["who"], one["action"]) for one in kept] == [
        *((f"admin:{admin.operator.id}", f"key.{what}") for what in ("revoke", "rotate", "create")),
        ("test", "admin_key.create"),
    ]
    assert len(admin.done("GET", f"/actions?target={made['id']}&limit=2")["data"]) == 2
    assert made["key"][-43:] not in str(kept)
    assert made["key"][-43:] not in str(admin.running.sink.records)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/keys", {"tenant": "nobody"}, "There is no tenant 'nobody'."),
        ("/keys", {"policies": ["strikt"]}, "did you mean 'strict'?"),
        ("/keys", {"limits": {"stream": 1}}, "limits.stream"),
        ("/keys", {"limits": {"streams": 0}}, "limits.streams"),
        ("/keys", {"expires": "soon"}, "is no time"),
        ("/keys", {"nmae": "x"}, "nmae"),
        ("/tenants", {"name": "default"}, "There is a tenant 'default' already."),
        ("/tenants", {"name": "a b"}, "name"),
        ("/keys/abcdefghijkm/rotate", {"overlap": "a while"}, "is no span of time"),
        ("/keys/abcdefghijkm/rotate", {}, "There is no key 'abcdefghijkm'."),
        ("/keys/abcdefghijkm/rotate", None, "There is no key 'abcdefghijkm'."),
        ("/keys", {"expires": "2020-01-01"}, "is over already"),
        ("/keys", {"expires": "9999999w"}, "longer than a hundred years"),
        ("/keys", {"limits": {"streams": True}}, "is no number"),
    ],
)
def test_what_is_wrong_is_told_in_the_apis_shape(admin: Admin, path: str, body: Any, said: str) -> None:
    answer = admin.call("POST", path, body)
    assert answer.status_code in (400, 404, 409)
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]


def test_the_document_describes_it(admin: Admin) -> None:
    document = admin.running.client.get(f"{admin.running.root}/openapi.json").json()
    assert {"/admin/v1/keys", "/admin/v1/keys/{id}/rotate", "/admin/v1/tenants/{name}"} <= document["paths"].keys()
    assert document["paths"]["/admin/v1/keys"]["post"]["security"] == [{"HTTPBearer": []}]
    made = document["components"]["schemas"]["KeyMade"]["properties"]
    assert "key" in made
    assert "hash" not in made


@pytest.mark.parametrize(
    "path", ["/policies/any/versions/222912910055687495614464", "/policies/any/diff?before=9999999999999999999"]
)
def test_numbers_that_no_column_holds_are_refused(admin: Admin, path: str) -> None:
    """Found by fuzzing: the database's driver would fail at them."""
    assert admin.call("GET", path).status_code == 400


@pytest.mark.parametrize("path", ["/keys/%00", "/tenants/a%00", "/policies/%00", "/keys?tenant=%00"])
def test_addresses_with_nul_are_refused(admin: Admin, path: str) -> None:
    """PostgreSQL cannot hold one in a text, and it is no fault of the database."""
    assert admin.call("GET", path).status_code == 400


def test_texts_with_nul_are_refused(admin: Admin) -> None:
    answer = admin.call("POST", "/tenants", {"name": "acme", "note": "a\0b"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "note")


@pytest.mark.parametrize("announced", ["transfer-encoding: chunked", "content-length: 1000000000"])
def test_a_body_of_somebody_without_a_key_is_not_waited_for(admin: Admin, announced: str) -> None:
    """Whoever is nobody cannot fill the memory, and an administrator not without end."""
    said: list[bytes] = []
    for key in ("sk-sg-admin-nobody", admin.operator.text):
        with socket.create_connection(("127.0.0.1", admin.running.port), timeout=30) as line:
            head = ("POST /admin/v1/keys HTTP/1.1", "host: x", f"authorization: Bearer {key}", announced, "", "")
            line.sendall("\r\n".join(head).encode())
            if "chunked" in announced and said:
                line.sendall(b"400000\r\n" + b"[" * 0x400000 + b"\r\n" + b"1\r\n[\r\n")
            said.append(line.recv(12))
    assert said == [b"HTTP/1.1 401", b"HTTP/1.1 413"]


def test_what_is_in_the_way_is_a_conflict(admin: Admin) -> None:
    answer = admin.call("POST", "/tenants", {"name": "default"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_a_body_that_is_no_json(admin: Admin) -> None:
    headers = {"authorization": f"Bearer {admin.operator.text}", "content-type": "application/json"}
    answer = admin.running.client.post(f"{admin.running.root}/admin/v1/keys", content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "The body is not valid JSON.")
