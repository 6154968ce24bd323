"""Webhooks declared in the configuration file: shown, not editable, reconciled at the start without losing what is owed."""
import uuid

import pytest

from conftest import LOOPBACK, run_binary

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def start(start_server, tmp_path):
    """start(text, env=None): a server with that configuration file."""
    def start_with(text, env=None):
        (tmp_path / "config.toml").write_text(text)
        return start_server(*LOOPBACK, env=env)
    return start_with


def hooks(server):
    return server.get("/webhooks").json["results"]


def declared(name, url, more=""):
    return f'[[webhooks]]\nname = "{name}"\nurl = "{url}"\n{more}\n'


def test_a_declared_webhook_has_the_same_fields(start, tmp_path):
    (tmp_path / "token").write_text("Bearer 0123456789\n")
    server = start(
        declared("orders", "https://example.com/a", f"""
index_uids = ["orders-*"]
statuses = ["failed"]
timeout_ms = 1500
retry_schedule = [0.5, 10]
ordered = true
secret = {{ env = "ORDERS_SECRET" }}
[webhooks.headers]
Authorization = {{ file = "{tmp_path}/token" }}
X-Shop = "1"
"""), env={"ORDERS_SECRET": SECRET})
    hook, = hooks(server)
    assert uuid.UUID(hook.pop("uuid")).version == 8
    assert hook == {"isEditable": False, "url": "https://example.com/a",
                    "headers": {"Authorization": "Bearer 01XXXX...", "X-Shop": "1"}, "indexUids": ["orders-*"],
                    "statuses": ["failed"], "timeoutMs": 1500, "ordered": True, "retrySchedule": [0.5, 10],
                    "secret": "whsec_XXX..."}
    assert SECRET not in server.log()


def test_a_declared_webhook_cannot_be_changed_over_the_api(start):
    server = start(declared("a", "https://example.com"))
    path = f"/webhooks/{hooks(server)[0]['uuid']}"
    for answer in (server.patch(path, {"url": "https://b.com"}), server.delete(path)):
        assert (answer.status, answer.json["code"]) == (400, "immutable_webhook")
        assert "from the configuration file" in answer.json["message"]


def test_it_is_called(start, receiver):
    server = start(declared("a", receiver.url))
    server.done(server.post("/indexes/movies/documents", [{"id": 1}]))
    assert receiver.next().tasks[0]["indexUid"] == "movies"


def test_a_name_keeps_its_uuid_while_the_rest_changes(start):
    first = start(declared("a", "https://example.com/1", "timeout_ms = 5"))
    before, = hooks(first)
    assert first.stop() == 0
    after, = hooks(start(declared("a", "https://example.com/2")))
    assert after == {"uuid": before["uuid"], "isEditable": False, "url": "https://example.com/2", "headers": {}}


def test_what_is_not_declared_any_more_is_gone(start):
    first = start(declared("a", "https://a.com") + declared("b", "https://b.com"))
    assert len(hooks(first)) == 2
    assert first.stop() == 0
    assert [h["url"] for h in hooks(start(declared("b", "https://b.com")))] == ["https://b.com"]


def test_what_is_owed_survives_that_its_webhook_is_not_declared_for_a_while(start, receiver):
    receiver.script = [500, 200]
    retry = "retry_schedule = [3600]"
    first = start(declared("a", receiver.url, retry))
    task = first.done(first.post("/indexes/movies/documents", [{"id": 1}]))
    receiver.next()
    first.wait_log("attempt=1 ")
    assert first.stop() == 0
    second = start("")
    hook, = hooks(second)
    assert (hook["isEditable"], hook["isActive"], hook["events"]) == (True, False, [])
    second.done(second.post("/indexes/movies/documents", [{"id": 2}]))  # nothing new is owed to it
    assert second.stop() == 0
    third = start(declared("a", receiver.url, retry))
    hook, = hooks(third)
    assert (hook["isEditable"], "isActive" in hook) == (False, False)
    owed = third.get(f"/webhooks/{hook['uuid']}/deliveries?state=owed").json["results"]
    assert len(owed) == 1
    assert third.post(f"/deliveries/{owed[0]['id']}/resend").status in (200, 202)
    assert [t["uid"] for t in receiver.next().tasks] == [task["uid"]]


def test_what_is_owed_to_an_undeclared_webhook_can_be_given_up(start, receiver):
    receiver.script = [500]
    first = start(declared("a", receiver.url))
    first.done(first.post("/indexes/movies/documents", [{"id": 1}]))
    receiver.next()
    first.wait_log("attempt=1 ")
    assert first.stop() == 0
    second = start("")
    assert second.delete(f"/webhooks/{hooks(second)[0]['uuid']}").status == 204
    assert hooks(second) == []


def test_a_declaration_can_take_over_a_webhook_of_the_api(start):
    first = start("")
    made = first.post("/webhooks", {"url": "https://a.com", "timeoutMs": 9}).json
    assert first.stop() == 0
    hook, = hooks(start(f'[[webhooks]]\nuuid = "{made["uuid"]}"\nurl = "https://b.com"\n'))
    assert hook == {"uuid": made["uuid"], "isEditable": False, "url": "https://b.com", "headers": {}}


def test_names_of_the_api_are_accepted_too(start):
    assert hooks(start(declared("a", "https://a.com", 'timeoutMs = 5\nindexUids = ["x"]')))[0]["timeoutMs"] == 5


@pytest.mark.parametrize("text, why", [
    ('[[webhooks]]\nurl = "https://a.com"\n', "a `name` of 1 to 200 bytes is needed"),
    (f'[[webhooks]]\nname = "{"n" * 201}"\nurl = "https://a.com"\n', "a `name` of 1 to 200 bytes is needed"),
    (declared("a", "https://a.com") * 2, "another one has the same `name` or `uuid`"),
    (declared("a", "nonsense"), "line 1 (a): Invalid URL `nonsense`: relative URL without a base"),
    (declared("a", "https://a.com", "time_out = 5"), "line 1 (a): unknown key `time_out`: did you mean `timeout_ms`?"),
    (declared("a", "https://a.com", "max_inflght = 5"), "unknown key `max_inflght`: did you mean `max_in_flight`?"),
    (declared("a", "https://a.com", 'Colour = "red"'), "unknown key `Colour`: the keys are `name`, `uuid`, `url`, `headers`"),
    (declared("a", "https://a.com", "timeout_ms = 0"), "Invalid value at `.timeoutMs`: value: `0` is too small"),
    (declared("a", "https://a.com", 'secret = { env = "NOT_THERE" }'),
     "the environment variable `NOT_THERE` is not set"),
    (declared("a", "https://a.com", 'ca = { file = "not-there.pem" }'), "the file `not-there.pem` cannot be read: No such file"),
    (declared("a", "https://a.com", 'secret = { vault = "x" }'), 'a table here is { env = "NAME" } or { file = "PATH" }'),
    (declared("a", "https://a.com", 'secret = "generate"'), "a secret can be generated over the API only"),
    ('webhooks = "https://a.com"\n', "expected an array of tables ([[webhooks]]), but found a string"),
    ("".join(declared(f"n{i}", "https://a.com") for i in range(21)), "more than 20 webhooks"),
])
def test_a_bad_declaration_ends_the_start_and_says_where(tmp_path, text, why):
    (tmp_path / "config.toml").write_text(text)
    ended = run_binary(tmp_path, "--http-addr", "127.0.0.1:0")
    assert ended.returncode == 1
    assert why in ended.stderr


def test_twenty_can_be_declared(start):
    server = start("".join(declared(f"n{i}", "https://a.com") for i in range(20)))
    assert len(hooks(server)) == 20
    assert server.post("/webhooks", {"url": "https://b.com"}).json["code"] == "invalid_webhooks"
