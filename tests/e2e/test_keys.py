"""/keys, what a key may do and see, and tenant tokens. Key values are derived here by Python's own hmac."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import random
import re
import threading
import uuid

import pytest

from conftest import Server, wait_until

MASTER = "a-master-key-of-enough-bytes"
NIL = "00000000-0000-0000-0000-000000000000"
INVALID = (403, "invalid_api_key", "The provided API key is invalid.")
MISSING = (401, "missing_authorization_header",
           "The Authorization header is missing. It must use the bearer authorization method.")
ACTIONS = """* search documents.* documents.add documents.get documents.delete indexes.* indexes.create indexes.get
    indexes.update indexes.delete indexes.swap tasks.* tasks.cancel tasks.delete tasks.get settings.* settings.get
    settings.update stats.* stats.get metrics.* metrics.get dumps.* dumps.create snapshots.* snapshots.create version
    keys.create keys.get keys.update keys.delete experimental.get experimental.update export network.get network.update
    chatCompletions chats.* chats.get chats.delete chatsSettings.* chatsSettings.get chatsSettings.update *.get
    webhooks.get webhooks.update webhooks.delete webhooks.create webhooks.* indexes.compact fields.post tasks.compact
    dynamicSearchRules.get dynamicSearchRules.create dynamicSearchRules.update dynamicSearchRules.delete
    dynamicSearchRules.*""".split()


def value_of(uid, master=MASTER):
    return hmac.new(master.encode(), str(uid).encode(), hashlib.sha256).hexdigest()


def error(answer):
    body = answer.json
    assert list(body) == ["message", "code", "type", "link"]
    return answer.status, body["code"], body["message"]


class As:
    """The server, spoken to with a key."""

    def __init__(self, server, key=MASTER):
        self.server, self.key = server, key

    def request(self, method, path, body=None, headers=None):
        return self.server.request(method, path, body, {"Authorization": f"Bearer {self.key}", **(headers or {})})

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def patch(self, path, body=None, **options):
        return self.request("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def done(self, answer):
        """Waits for the task of an answer; its final state."""
        assert answer.status in (200, 202), answer
        path = f"/tasks/{answer.json['taskUid']}"
        wait_until(lambda: self.get(path).json["status"] in ("succeeded", "failed", "canceled"), path, self.server.process)
        return self.get(path).json

    def make(self, actions, indexes=("*",), **more):
        """A new key: its view."""
        answer = self.post("/keys", {"actions": list(actions), "indexes": list(indexes), "expiresAt": None, **more})
        assert answer.status == 201, answer
        return answer.json

    def with_key(self, *args, **options):
        return As(self.server, self.make(*args, **options)["key"])


@pytest.fixture
def master(start_server):
    """A server of the test's own, as whoever has its master key."""
    return As(start_server("--master-key", MASTER))


@pytest.fixture(scope="module")
def shared_master(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    running = Server(directory / "data", ("--http-addr", "127.0.0.1:0", "--db-path", directory / "data",
                                          "--master-key", MASTER))
    yield As(running.start())
    assert running.stop() == 0, running.log()


# --- the default keys


def test_the_first_start_makes_the_default_keys(master):
    body = master.get("/keys").json
    assert (body["offset"], body["limit"], body["total"]) == (0, 20, 4)
    assert [(k["name"], k["description"], k["actions"]) for k in body["results"]] == [
        ("Default Search API Key", "Use it to search from the frontend", ["search"]),
        ("Default Admin API Key",
         "Use it for anything that is not a search operation. Caution! Do not expose it on a public frontend", ["*"]),
        ("Default Read-Only Admin API Key",
         "Use it to read information across the whole database. Caution! Do not expose this key on a public frontend",
         ["*.get", "keys.get"]),
        ("Default Chat API Key", "Use it to chat and search from the frontend", ["chatCompletions", "search"]),
    ]
    for key in body["results"]:
        assert key["indexes"] == ["*"] and key["expiresAt"] is None and key["createdAt"] == key["updatedAt"]
        assert uuid.UUID(key["uid"]).version == 4
        assert key["key"] == value_of(key["uid"])


def test_the_default_keys_stay_as_they_are_after_a_restart(start_server):
    first = start_server("--master-key", MASTER)
    before = As(first).get("/keys").json
    assert As(first).delete(f"/keys/{before['results'][0]['uid']}").status == 204
    assert first.stop() == 0
    after = As(start_server("--master-key", MASTER)).get("/keys").json
    assert after["results"] == before["results"][1:]


def test_a_server_without_any_key_makes_them_again(start_server):
    first = start_server("--master-key", MASTER)
    before = As(first).get("/keys").json["results"]
    for key in before:
        assert As(first).delete(f"/keys/{key['uid']}").status == 204
    assert first.stop() == 0
    after = As(start_server("--master-key", MASTER)).get("/keys").json["results"]
    assert [k["name"] for k in after] == [k["name"] for k in before]
    assert not {k["uid"] for k in after} & {k["uid"] for k in before}


def test_a_start_without_a_master_key_makes_none(start_server):
    assert start_server().stop() == 0
    server = start_server("--master-key", MASTER)
    assert As(server).get("/keys").json["total"] == 4


# --- create, get, list, change, remove


def test_create_answers_the_key(master):
    before = datetime.datetime.now(datetime.timezone.utc)
    answer = master.post("/keys", {"name": "Indexing", "description": "", "uid": NIL, "expiresAt": "2099-11-13",
                                   "actions": ["documents.add", "documents.get", "documents.add"],
                                   "indexes": ["products", "prod_*"]})
    assert answer.status == 201
    key = answer.json
    assert list(key) == ["name", "description", "key", "uid", "actions", "indexes", "expiresAt", "createdAt", "updatedAt"]
    assert key["name"] == "Indexing" and key["description"] == "" and key["uid"] == NIL
    assert key["key"] == value_of(NIL)
    assert key["actions"] == ["documents.add", "documents.get", "documents.add"]  # as given
    assert key["indexes"] == ["products", "prod_*"]
    assert key["expiresAt"] == "2099-11-13T00:00:00Z"
    assert key["createdAt"] == key["updatedAt"]
    created = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", key["createdAt"]))
    assert abs((created - before).total_seconds()) < 60


def test_the_value_is_the_contracts_vector(start_server):
    master = As(start_server("--master-key", "MASTER_KEY"), "MASTER_KEY")
    assert master.make(["search"], uid=NIL)["key"] == "aeb94973e0b6e912d94165430bbe87dee91a7c4f891ce19050c3910ec96977e9"
    assert value_of(NIL, "MASTER_KEY") == "aeb94973e0b6e912d94165430bbe87dee91a7c4f891ce19050c3910ec96977e9"


def test_what_is_not_given_is_null(shared_master):
    key = shared_master.make(["search"], name=None)
    assert key["name"] is None and key["description"] is None and key["expiresAt"] is None
    assert uuid.UUID(key["uid"]).version == 4


def test_get_by_uid_and_by_value(shared_master):
    key = shared_master.make(["search"])
    for name in (key["uid"], key["uid"].upper(), key["uid"].replace("-", ""), "urn:uuid:" + key["uid"], key["key"],
                 key["key"].upper()):
        assert shared_master.get(f"/keys/{name}").json == key


def test_list_is_newest_first_and_paged(master):
    uids = [master.make(["search"])["uid"] for _ in range(5)]
    names = [k["uid"] for k in master.get("/keys?limit=5").json["results"]]
    assert names == uids[::-1]
    page = master.get("/keys?offset=1&limit=2").json
    assert [k["uid"] for k in page["results"]] == [uids[3], uids[2]]
    assert list(page) == ["results", "offset", "limit", "total"]
    assert (page["offset"], page["limit"], page["total"]) == (1, 2, 9)
    assert master.get("/keys?limit=0").json == {"results": [], "offset": 0, "limit": 0, "total": 9}
    assert master.get("/keys?offset=9").json == {"results": [], "offset": 9, "limit": 20, "total": 9}


def test_a_long_list_comes_whole(master):
    uids = [master.make(["documents.add"], description="x" * 400)["uid"] for _ in range(300)]
    listed = [k["uid"] for k in master.get("/keys?limit=1000").json["results"]]
    assert listed[:300] == uids[::-1] and len(listed) == 304


def test_patch_changes_name_and_description_only(shared_master):
    key = shared_master.make(["search"], name="old", description="about")
    changed = shared_master.patch(f"/keys/{key['uid']}", {"name": "new"})
    assert changed.status == 200
    assert changed.json == {**key, "name": "new", "updatedAt": changed.json["updatedAt"]}
    assert changed.json["updatedAt"] > key["updatedAt"]
    cleared = shared_master.patch(f"/keys/{key['key']}", {"description": None}).json
    assert cleared["name"] == "new" and cleared["description"] is None
    assert shared_master.get(f"/keys/{key['uid']}").json == cleared
    untouched = shared_master.patch(f"/keys/{key['uid']}", {}).json
    assert {**untouched, "updatedAt": 0} == {**cleared, "updatedAt": 0}


def test_delete_answers_204_and_the_key_stops_at_once(shared_master):
    key = shared_master.make(["version"])
    caller = As(shared_master.server, key["key"])
    assert caller.get("/version").status == 200
    gone = shared_master.delete(f"/keys/{key['key']}")
    assert (gone.status, gone.body) == (204, b"")
    assert error(caller.get("/version")) == INVALID
    for method in ("GET", "DELETE"):
        assert error(shared_master.request(method, f"/keys/{key['uid']}")) == (
            404, "api_key_not_found", f"API key `{key['uid']}` not found.")


@pytest.mark.parametrize("name, shown", [
    (NIL[:-1] + "9", NIL[:-1] + "9"), ("{" + NIL[:-1] + "9}", NIL[:-1] + "9"), ("doggo", "doggo"), ("d" * 64, "d" * 64),
    ("%F0%9F%8D%B0", "🍰")])
def test_unknown_keys_are_404(shared_master, name, shown):
    expected = (404, "api_key_not_found", f"API key `{shown}` not found.")
    assert error(shared_master.get(f"/keys/{name}")) == expected
    assert error(shared_master.patch(f"/keys/{name}", {})) == expected
    assert error(shared_master.delete(f"/keys/{name}")) == expected


def test_a_uid_is_taken_once(shared_master):
    key = shared_master.make(["search"])
    again = shared_master.post("/keys", {"uid": key["uid"].upper(), "actions": [], "indexes": [], "expiresAt": None})
    assert error(again) == (409, "api_key_already_exists",
                            f"`uid` field value `{key['uid']}` is already an existing API key.")
    assert shared_master.get(f"/keys/{key['uid']}").json == key
    shared_master.delete(f"/keys/{key['uid']}")
    assert shared_master.make(["search"], uid=key["uid"])["key"] == key["key"]


# --- what a body may not say

FINE = {"actions": ["search"], "indexes": ["*"], "expiresAt": None}
EXPECTED = "expected one of `description`, `name`, `uid`, `actions`, `indexes`, `expiresAt`"
ALL_ACTIONS = "expected one of " + ", ".join(f"`{a}`" for a in ACTIONS)
PATTERN = ("is not a valid index uid pattern. Index uid patterns can be an integer or a string containing only alphanumeric "
           "characters, hyphens (-), underscores (_), and optionally end with a star (*).")
DATE = ("is not a valid date. It should follow the RFC 3339 format to represents a date or datetime in the future or specified "
        "as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'.\n")


def kind_errors(field, code, expected):
    values = {"a string": '"x"', "an array": '["doggo"]', "a positive integer": "13", "an object": '{"a":1}',
              "a boolean": "true"}
    return [({field: json.loads(text)}, code, f"Invalid value type at `.{field}`: expected {expected}, but found {kind}: `{text}`")
            for kind, text in values.items() if kind != expected]


@pytest.mark.parametrize("body, code, message", [
    *kind_errors("description", "invalid_api_key_description", "a string"),
    *kind_errors("name", "invalid_api_key_name", "a string"),
    *kind_errors("uid", "invalid_api_key_uid", "a string"),
    *kind_errors("expiresAt", "invalid_api_key_expires_at", "a string"),
    *kind_errors("actions", "invalid_api_key_actions", "an array"),
    *kind_errors("indexes", "invalid_api_key_indexes", "an array"),
    ({"uid": None}, "invalid_api_key_uid", "Invalid value type at `.uid`: expected a string, but found null"),
    ({"actions": None}, "invalid_api_key_actions", "Invalid value type at `.actions`: expected an array, but found null"),
    ({"indexes": None}, "invalid_api_key_indexes", "Invalid value type at `.indexes`: expected an array, but found null"),
    ({"uid": "doggo"}, "invalid_api_key_uid", "Invalid value at `.uid`: invalid character: found `o` at 1"),
    ({"uid": "aaaaabbbbbccc"}, "invalid_api_key_uid", "Invalid value at `.uid`: invalid length: found 13"),
    ({"actions": ["search", 1]}, "invalid_api_key_actions",
     "Invalid value type at `.actions[1]`: expected a string, but found a positive integer: `1`"),
    ({"actions": ["doc.add"]}, "invalid_api_key_actions", f"Unknown value `doc.add` at `.actions[0]`: {ALL_ACTIONS}"),
    ({"actions": ["keys.*"]}, "invalid_api_key_actions",
     f"Unknown value `keys.*` at `.actions[0]`: {ALL_ACTIONS}"),
    ({"actions": ["*", "documents.ad"]}, "invalid_api_key_actions",
     f"Unknown value `documents.ad` at `.actions[1]`: did you mean `documents.add`? {ALL_ACTIONS}"),
    ({"indexes": [1]}, "invalid_api_key_indexes",
     "Invalid value type at `.indexes[0]`: expected a string, but found a positive integer: `1`"),
    ({"indexes": ["a", "good doggo"]}, "invalid_api_key_indexes",
     f"Invalid value at `.indexes[1]`: `good doggo` {PATTERN}"),
    ({"indexes": ["a**"]}, "invalid_api_key_indexes", f"Invalid value at `.indexes[0]`: `a**` {PATTERN}"),
    ({"indexes": ["*a"]}, "invalid_api_key_indexes", f"Invalid value at `.indexes[0]`: `*a` {PATTERN}"),
    ({"indexes": [""]}, "invalid_api_key_indexes", f"Invalid value at `.indexes[0]`: `` {PATTERN}"),
    ({"indexes": ["a" * 401 + "*"]}, "invalid_api_key_indexes", f"Invalid value at `.indexes[0]`: `{'a' * 401}*` {PATTERN}"),
    ({"indexes": ["a"] * 10001}, "invalid_api_key_indexes",
     "Invalid value at `.indexes`: a key may name at most 10000 indexes"),
    *[({"expiresAt": date}, "invalid_api_key_expires_at", f"Invalid value at `.expiresAt`: `{date}` {DATE}")
      for date in ("2010-11-13T00:00:00Z", "2010-11-13", "", "tomorrow", "2099-13-01", "2099-02-29", "2099-1-1",
                   "2099-01-01 10:00", "2099-01-01T25:00:00Z", "2099-01-01t10:00:00", "2099-01-01 10:00:00Z")],
    ({"actions": [], "expiresAt": None}, "missing_api_key_indexes", "Missing field `indexes`"),
    ({"indexes": [], "expiresAt": None}, "missing_api_key_actions", "Missing field `actions`"),
    ({"indexes": [], "actions": []}, "missing_api_key_expires_at", "Missing field `expiresAt`"),
    ({}, "missing_api_key_actions", "Missing field `actions`"),
    ({"doggo": 1}, "bad_request", f"Unknown field `doggo`: {EXPECTED}"),
    ({"expires_at": 1}, "bad_request", f"Unknown field `expires_at`: did you mean `expiresAt`? {EXPECTED}"),
    ({"key": "x"}, "bad_request", f"Unknown field `key`: {EXPECTED}"),
    ([], "bad_request", "Invalid value type: expected an object, but found an array: `[]`"),
])
def test_create_refuses(shared_master, body, code, message):
    before = shared_master.get("/keys").json["total"]
    assert error(shared_master.post("/keys", body)) == (400, code, message)
    assert shared_master.get("/keys").json["total"] == before


@pytest.mark.parametrize("body, code, message", [
    ({"description": ["doggo"]}, "invalid_api_key_description",
     'Invalid value type at `.description`: expected a string, but found an array: `["doggo"]`'),
    ({"name": 13}, "invalid_api_key_name",
     "Invalid value type at `.name`: expected a string, but found a positive integer: `13`"),
    *[({field: "doggo"}, code, f"Immutable field `{field}`: expected one of `description`, `name`") for field, code in {
        "uid": "immutable_api_key_uid", "actions": "immutable_api_key_actions", "indexes": "immutable_api_key_indexes",
        "expiresAt": "immutable_api_key_expires_at", "createdAt": "immutable_api_key_created_at",
        "updatedAt": "immutable_api_key_updated_at"}.items()],
    ({"doggo": "bork"}, "bad_request", "Unknown field `doggo`: expected one of `description`, `name`"),
    ({"key": "x"}, "bad_request", "Unknown field `key`: expected one of `description`, `name`"),
    ([], "bad_request", "Invalid value type: expected an object, but found an array: `[]`"),
])
def test_patch_refuses_before_it_looks_for_the_key(shared_master, body, code, message):
    assert error(shared_master.patch("/keys/doggo", body)) == (400, code, message)


@pytest.mark.parametrize("query, code, message", [
    ("offset=doggo", "invalid_api_key_offset",
     "Invalid value in parameter `offset`: could not parse `doggo` as a positive integer"),
    ("limit=-1", "invalid_api_key_limit", "Invalid value in parameter `limit`: could not parse `-1` as a positive integer"),
    ("doggo=1", "bad_request", "Unknown parameter `doggo`: expected one of `offset`, `limit`"),
])
def test_list_refuses(shared_master, query, code, message):
    assert error(shared_master.get(f"/keys?{query}")) == (400, code, message)


@pytest.mark.parametrize("action", [
    "metrics.*", "metrics.get", "dumps.*", "dumps.create", "snapshots.*", "snapshots.create", "version", "keys.create",
    "keys.get", "keys.update", "keys.delete", "experimental.get", "experimental.update", "export", "network.get",
    "network.update", "chats.*", "chats.get", "chats.delete", "chatsSettings.*", "chatsSettings.get",
    "chatsSettings.update", "webhooks.get", "webhooks.update", "webhooks.delete", "webhooks.create", "webhooks.*",
    "tasks.compact", "dynamicSearchRules.get", "dynamicSearchRules.create", "dynamicSearchRules.update",
    "dynamicSearchRules.delete", "dynamicSearchRules.*"])
def test_a_key_for_some_indexes_has_no_global_action(shared_master, action):
    body = {"actions": ["search", action], "indexes": ["products"], "expiresAt": None}
    message = (f'cannot create index-scoped API key with global action `"{action}"`\n  - Hint: remove action `"{action}"` from '
               "the action list, or remove `indexes` to make the key global")
    assert error(shared_master.post("/keys", body)) == (400, "index_scoped_api_key_with_global_action", message)
    for indexes in ([], ["*"], ["products", "*"]):
        assert shared_master.post("/keys", {**body, "indexes": indexes}).status == 201


def test_the_other_actions_may_be_given_for_some_indexes(shared_master):
    key = shared_master.make(["*", "*.get", "search", "documents.*", "indexes.*", "tasks.*", "settings.*", "stats.*",
                              "chatCompletions", "fields.post", "indexes.compact"], ["products"])
    assert key["indexes"] == ["products"]


@pytest.mark.parametrize("given, shown", [
    ("2099-11-13", "2099-11-13T00:00:00Z"),
    ("2099-11-13 10:20:30", "2099-11-13T10:20:30Z"),
    ("2099-11-13T10:20:30", "2099-11-13T10:20:30Z"),
    ("2099-11-13T10:20:30Z", "2099-11-13T10:20:30Z"),
    ("2099-11-13t10:20:30.120z", "2099-11-13T10:20:30.12Z"),
    ("2099-11-13T10:20:30.0000000009Z", "2099-11-13T10:20:30Z"),
    ("2099-11-13T10:20:30.1234567891+02:00", "2099-11-13T10:20:30.123456789+02:00"),
    ("2099-11-13T10:20:30-00:00", "2099-11-13T10:20:30Z"),
    ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
])
def test_expiry_dates_are_read_and_shown(shared_master, given, shown):
    key = shared_master.make(["version"], expiresAt=given)
    assert key["expiresAt"] == shown
    assert shared_master.get(f"/keys/{key['uid']}").json["expiresAt"] == shown
    assert As(shared_master.server, key["key"]).get("/version").status == 200


# --- how requests present keys


def test_without_a_master_key_there_are_no_keys(start_server):
    server = start_server()
    message = ("Meilisearch is running without a master key. To access this API endpoint, you must have set a master key at "
               "launch.")
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("GET", "/keys/x"), ("PATCH", "/keys/x"), ("DELETE", "/keys/x")):
        for headers in ({}, {"Authorization": "Bearer MASTER_KEY"}):
            assert error(server.request(method, path, headers=headers)) == (401, "missing_master_key", message)


def test_the_header_must_be_there_and_of_the_right_scheme(shared_master):
    server = shared_master.server
    key = shared_master.make(["*"])["key"]
    for headers in ({}, {"Authorization": f"Basic {key}"}, {"Authorization": f"bearer {key}"}, {"Authorization": key}):
        for path in ("/keys", "/version", "/indexes", "/indexes/movies/documents"):
            assert error(server.get(path, headers=headers)) == MISSING
    for token in (" ", " wrong", f" {key}0", f" {key[:-1]}", f" {key[:-1]}x", f"  {key}"):
        assert error(server.get("/version", headers={"Authorization": f"Bearer{token}"})) == INVALID
    assert server.get("/version", headers={"Authorization": f"Bearer {key}"}).status == 200
    assert server.get("/health").status == 200


def test_the_value_itself_is_not_in_the_data_directory(start_server):
    server = start_server("--master-key", MASTER)
    key = As(server).make(["search"], uid=NIL)["key"]
    assert server.stop() == 0
    files = [p for p in server.db_path.rglob("*") if p.is_file()]
    found = b"".join(p.read_bytes() for p in files)
    assert bytes(16) + b"\x00" in found and b"search" in found
    assert key.encode() not in found and bytes.fromhex(key) not in found and MASTER.encode() not in found
    assert key not in server.log() and MASTER not in server.log()


def test_keys_survive_a_kill(start_server):
    server = start_server("--master-key", MASTER)
    master = As(server)
    keys = [master.make(["documents.*"], ["a*"], name=f"n{i}") for i in range(3)]
    master.delete(f"/keys/{keys[0]['uid']}")
    keys[1] = master.patch(f"/keys/{keys[1]['uid']}", {"name": None}).json
    server.kill()
    again = As(start_server("--master-key", MASTER))
    assert again.get("/keys?limit=2").json["results"] == [keys[2], keys[1]]
    assert error(As(again.server, keys[0]["key"]).get("/indexes/a/documents/1")) == INVALID
    assert As(again.server, keys[1]["key"]).get("/indexes/a/documents/1").json["code"] == "index_not_found"


class Changer(threading.Thread):
    """Makes, renames and removes keys one after the other until the server is gone. acknowledged: name by uid, as answered;
    pending: the change that was under way, with the state it leads to."""

    def __init__(self, master, acknowledged):
        super().__init__(daemon=True)
        self.master, self.acknowledged, self.pending, self.n_done = master, dict(acknowledged), dict(acknowledged), 0
        self.random = random.Random(len(acknowledged))

    def run(self):
        try:
            while True:
                self.change()
                self.acknowledged = self.pending
                self.n_done += 1
        except (OSError, http.client.HTTPException):
            pass  # killed

    def change(self):
        uid = self.random.choice([*self.acknowledged, None])
        name = f"name {self.n_done}"
        if uid is None or len(self.acknowledged) < 3:
            uid = str(uuid.uuid4())
            self.pending = {**self.acknowledged, uid: name}
            answer = self.master.post("/keys", {**FINE, "uid": uid, "name": name})
        elif self.n_done % 2:
            self.pending = {**self.acknowledged, uid: name}
            answer = self.master.patch(f"/keys/{uid}", {"name": name})
        else:
            self.pending = {k: v for k, v in self.acknowledged.items() if k != uid}
            answer = self.master.delete(f"/keys/{uid}")
        assert answer.status in (200, 201, 204), answer


def test_kills_lose_no_acknowledged_change(start_server):
    state = None
    for n_changes in (3, 17, 8, 29, 1, 12):
        server = start_server("--master-key", MASTER)
        found = {k["uid"]: k["name"] for k in As(server).get("/keys?limit=1000").json["results"]}
        assert state is None or found in state
        changer = Changer(As(server), found)
        changer.start()
        wait_until(lambda: changer.n_done >= n_changes, "no changes", server.process)
        server.kill()
        changer.join()
        state = (changer.acknowledged, changer.pending)
    last = As(start_server("--master-key", MASTER)).get("/keys?limit=1000").json["results"]
    assert {k["uid"]: k["name"] for k in last} in state


def test_another_master_key_changes_every_value(start_server):
    server = start_server("--master-key", MASTER)
    before = As(server).get("/keys").json["results"]
    assert server.stop() == 0
    other = As(start_server("--master-key", "another-master-key-here"), "another-master-key-here")
    after = other.get("/keys").json["results"]
    assert [{**k, "key": value_of(k["uid"], other.key)} for k in before] == after
    assert error(As(other.server, before[1]["key"]).get("/version")) == INVALID
    assert As(other.server, after[1]["key"]).get("/version").status == 200


def test_an_expired_key_stops_at_once(master):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
    key = master.make(["version", "documents.get"], expiresAt=soon.isoformat())
    caller = As(master.server, key["key"])
    assert caller.get("/version").status == 200
    wait_until(lambda: caller.get("/version").status != 200, "the key does not expire")
    assert datetime.datetime.now(datetime.timezone.utc) >= soon
    assert error(caller.get("/version")) == INVALID
    assert error(caller.get("/indexes/movies/documents")) == INVALID
    assert master.get(f"/keys/{key['uid']}").json == key  # it is still there


# --- what a key may do

ROUTES = {  # route: an action that opens it
    ("GET", "/indexes"): "indexes.get",
    ("POST", "/indexes"): "indexes.create",
    ("GET", "/indexes/products"): "indexes.get",
    ("PATCH", "/indexes/products"): "indexes.update",
    ("DELETE", "/indexes/products"): "indexes.delete",
    ("POST", "/swap-indexes"): "indexes.swap",
    ("GET", "/indexes/products/documents"): "documents.get",
    ("POST", "/indexes/products/documents"): "documents.add",
    ("PUT", "/indexes/products/documents"): "documents.add",
    ("DELETE", "/indexes/products/documents"): "documents.delete",
    ("GET", "/indexes/products/documents/1"): "documents.get",
    ("DELETE", "/indexes/products/documents/1"): "documents.delete",
    ("POST", "/indexes/products/documents/fetch"): "documents.get",
    ("POST", "/indexes/products/documents/delete-batch"): "documents.delete",
    ("GET", "/stats"): "stats.get",
    ("GET", "/indexes/products/stats"): "stats.get",
    ("GET", "/version"): "version",
    ("GET", "/tasks"): "tasks.get",
    ("GET", "/tasks/0"): "tasks.get",
    ("POST", "/tasks/cancel"): "tasks.cancel",
    ("GET", "/batches"): "tasks.get",
    ("GET", "/batches/0"): "tasks.get",
    ("GET", "/webhooks"): "webhooks.get",
    ("POST", "/webhooks"): "webhooks.create",
    ("PATCH", "/webhooks/x"): "webhooks.update",
    ("DELETE", "/webhooks/x"): "webhooks.delete",
    ("GET", "/keys"): "keys.get",
    ("POST", "/keys"): "keys.create",
    ("PATCH", "/keys/x"): "keys.update",
    ("DELETE", "/keys/x"): "keys.delete",
}
WILDCARDS = {
    "*": set(ROUTES.values()),
    "*.get": {"indexes.get", "documents.get", "stats.get", "version", "tasks.get", "webhooks.get"},
    "documents.*": {"documents.get", "documents.add", "documents.delete"},
    "indexes.*": {"indexes.get", "indexes.create", "indexes.update", "indexes.delete", "indexes.swap"},
    "tasks.*": {"tasks.get", "tasks.cancel"},
    "stats.*": {"stats.get"},
    "webhooks.*": {"webhooks.get", "webhooks.create", "webhooks.update", "webhooks.delete"},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_opens_its_routes_and_no_others(shared_master, action):
    caller = shared_master.with_key([action])
    granted = WILDCARDS.get(action, {action})
    for (method, path), wanted in ROUTES.items():
        answer = caller.request(method, path)
        if wanted in granted:
            assert answer.status not in (401, 403), (method, path, answer)
        else:
            assert error(answer) == INVALID, (method, path)


def test_a_key_for_some_indexes_opens_what_names_them_or_looks_at_them(shared_master):
    caller = shared_master.with_key(["*"], ["products"])
    closed = {"version", "webhooks.get", "webhooks.create", "webhooks.update", "webhooks.delete", "keys.get", "keys.create",
              "keys.update", "keys.delete"}
    for (method, path), action in ROUTES.items():
        answer = caller.request(method, path)
        if action in closed:
            assert error(answer) == INVALID, (method, path)
        else:
            assert answer.status not in (401, 403), (method, path, answer)


def test_a_key_for_no_index_opens_nothing(shared_master):
    caller = shared_master.with_key(["*"], [])
    for (method, path) in ROUTES:
        assert caller.request(method, path).json["code"] == "invalid_api_key"


def test_an_index_in_the_path_is_judged_against_the_patterns(shared_master):
    caller = shared_master.with_key(["documents.get"], ["zebra", "prod_*", "dog", "dog"])
    for uid in ("zebra", "prod_", "prod_1", "dog", "d%6Fg"):
        assert caller.get(f"/indexes/{uid}/documents").json["code"] == "index_not_found"
    for path, uid in (("prod", "prod"), ("dogs", "dogs"), ("*", "*"), ("not%20valid", "not valid"), ("prod%2A", "prod*")):
        assert error(caller.get(f"/indexes/{path}/documents")) == (
            403, "invalid_api_key",
            f'The API key cannot acces the index `{uid}`, authorized indexes are ["dog", "prod_*", "zebra"].')
    # the index comes first, then the action
    assert "cannot acces" in caller.delete("/indexes/cat/documents").json["message"]
    assert error(caller.delete("/indexes/dog/documents")) == INVALID


def test_the_gate_refuses_before_the_body_is_sent(shared_master):
    caller = shared_master.with_key(["documents.get"])
    connection = shared_master.server.connect()
    connection.putrequest("POST", "/indexes/movies/documents")
    connection.putheader("Authorization", f"Bearer {caller.key}")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (403, "invalid_api_key")
    connection.close()


# --- what a key for some indexes sees


@pytest.fixture(scope="module")
def populated(tmp_path_factory):
    """Indexes dog, dogs and cat with a document each, and a swap, a cancelation and a failed task beside."""
    directory = tmp_path_factory.mktemp("populated")
    running = Server(directory / "data", ("--http-addr", "127.0.0.1:0", "--db-path", directory / "data",
                                          "--master-key", MASTER))
    master = As(running.start())
    master.uids = {}
    for uid in ("cat", "dog", "dogs"):
        master.uids[uid] = master.done(master.post(f"/indexes/{uid}/documents", [{"id": 1}]))["uid"]
    master.uids["swap"] = master.done(master.post("/swap-indexes", [{"indexes": ["dog", "dogs"]}]))["uid"]
    master.uids["cancel"] = master.done(master.post("/tasks/cancel?uids=0"))["uid"]
    yield master
    assert running.stop() == 0, running.log()


def test_indexes_are_filtered(populated):
    caller = populated.with_key(["indexes.get"], ["dog*", "bird"])
    listed = caller.get("/indexes").json
    assert [i["uid"] for i in listed["results"]] == ["dog", "dogs"]
    assert listed["total"] == 2
    page = caller.get("/indexes?offset=1&limit=1").json
    assert [i["uid"] for i in page["results"]] == ["dogs"] and page["total"] == 2
    assert caller.get("/indexes?limit=0").json == {"results": [], "offset": 0, "limit": 0, "total": 2}
    assert caller.get("/indexes/dog").status == 200
    assert caller.get("/indexes/cat").status == 403
    assert populated.get("/indexes").json["total"] == 3


def test_stats_are_filtered_but_for_the_sizes(populated):
    caller = populated.with_key(["stats.get"], ["cat"])
    mine, everything = caller.get("/stats").json, populated.get("/stats").json
    assert list(mine["indexes"]) == ["cat"] and len(everything["indexes"]) == 3
    assert mine["indexes"]["cat"] == everything["indexes"]["cat"]
    assert mine["databaseSize"] == everything["databaseSize"]
    assert mine["lastUpdate"] < everything["lastUpdate"]
    assert populated.with_key(["stats.*"], ["bird"]).get("/stats").json["lastUpdate"] is None


def test_tasks_are_filtered_after_they_are_counted(populated):
    caller = populated.with_key(["tasks.get"], ["dog"])
    uids = populated.uids
    listed = caller.get("/tasks").json
    renamed = {t["indexUid"]: t["uid"] for t in populated.get("/tasks").json["results"] if t["indexUid"]}
    assert [t["uid"] for t in listed["results"]] == [renamed["dog"]]  # the swap exchanged the names
    assert listed["total"] == 5  # contract 2.4
    assert caller.get(f"/tasks/{renamed['dog']}").status == 200
    for hidden in (uids["cat"], renamed["dogs"], uids["swap"], uids["cancel"]):
        assert error(caller.get(f"/tasks/{hidden}")) == (404, "task_not_found", f"Task `{hidden}` not found.")
    assert caller.get("/tasks?indexUids=cat").json["results"] == []


def test_batches_are_filtered(populated):
    caller = populated.with_key(["tasks.get"], ["cat"])
    listed = caller.get("/batches").json
    assert [b["stats"]["indexUids"] for b in listed["results"]] == [{"cat": 1}]
    shown = {b["uid"] for b in listed["results"]}
    for batch in populated.get("/batches").json["results"]:
        expected = 200 if batch["uid"] in shown else 404
        assert caller.get(f"/batches/{batch['uid']}").status == expected


def test_cancelation_reaches_the_keys_tasks_only(start_server):
    server = start_server("--master-key", MASTER, "--experimental-max-number-of-batched-tasks", "0")
    master = As(server)
    tasks = {uid: master.post(f"/indexes/{uid}/documents", [{"id": 1}]).json["taskUid"] for uid in ("dog", "cat")}
    swap = master.post("/swap-indexes", [{"indexes": ["dog", "bird"]}]).json["taskUid"]
    for query in ("statuses=enqueued", "uids=*", f"uids={tasks['dog']},{tasks['cat']},{swap}"):
        caller = master.with_key(["tasks.cancel"], ["dog"])
        canceled = caller.post(f"/tasks/cancel?{query}")
        assert canceled.status == 200
        assert master.get(f"/tasks/{canceled.json['taskUid']}").json["details"]["matchedTasks"] == 1
    assert master.get(f"/tasks/{tasks['cat']}").json["status"] == "enqueued"


def test_indexes_named_in_bodies_must_be_the_keys(master):
    caller = master.with_key(["indexes.*", "documents.add"], ["dog*"])
    assert error(caller.post("/indexes", {"uid": "cat"})) == INVALID
    assert master.done(caller.post("/indexes", {"uid": "dog"}))["status"] == "succeeded"
    assert master.done(caller.post("/indexes", {"uid": "dogs"}))["status"] == "succeeded"
    assert error(caller.post("/swap-indexes", [{"indexes": ["dog", "cat"]}])) == INVALID
    assert error(caller.post("/swap-indexes", [{"indexes": ["dog", "dogs"]}, {"indexes": ["cat", "dogx"]}])) == INVALID
    assert master.done(caller.post("/swap-indexes", [{"indexes": ["dog", "dogs"]}]))["status"] == "succeeded"
    assert error(caller.patch("/indexes/dog", {"uid": "cat"})) == INVALID
    assert master.done(caller.patch("/indexes/dog", {"uid": "doggo"}))["status"] == "succeeded"
    # a wrong body is reported first
    assert caller.post("/indexes", {"uid": "not valid"}).json["code"] == "invalid_index_uid"
    assert caller.post("/swap-indexes", [{"indexes": ["cat"]}]).json["code"] == "invalid_swap_indexes"


def test_documents_create_their_index_only_with_the_right_to(master):
    plain, creator = master.with_key(["documents.add"]), master.with_key(["documents.add", "indexes.create"], ["dog*"])
    failed = master.done(plain.post("/indexes/dog/documents", [{"id": 1}]))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "index_not_found")
    assert master.done(creator.post("/indexes/dog/documents", [{"id": 1}]))["status"] == "succeeded"
    assert master.done(plain.post("/indexes/dog/documents", [{"id": 2}]))["status"] == "succeeded"
    for wildcard in ("indexes.*", "*"):
        other = master.with_key(["documents.add", wildcard])
        assert master.done(other.post(f"/indexes/new{len(wildcard)}/documents", [{"id": 1}]))["status"] == "succeeded"


def test_idempotency_keys_belong_to_the_api_key(master):
    headers = {"Idempotency-Key": "order-17"}
    answers = [caller.post("/indexes/dog/documents", [{"id": 1}], headers=headers)
               for caller in (master, master.with_key(["documents.add"]), master.with_key(["documents.add"]))]
    assert len({a.json["taskUid"] for a in answers}) == 3
    again = master.post("/indexes/dog/documents", [{"id": 1}], headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true" and again.json == answers[0].json


# --- tenant tokens: good for searching only


def tenant_token(claims, secret, algorithm="HS256"):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    signed = part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.new(secret.encode(), signed, digest).digest())).decode()


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_tenant_token_opens_nothing_but_search(shared_master, algorithm):
    key = shared_master.make(["*"])
    caller = As(shared_master.server, tenant_token({"searchRules": ["*"], "apiKeyUid": key["uid"]}, key["key"], algorithm))
    for (method, path) in ROUTES:
        assert error(caller.request(method, path)) == INVALID
