"""/webhooks: shapes, redaction, limits, and every error. Deliveries have tests of their own."""
import re
import uuid

import pytest

from conftest import LOOPBACK

NIL = "00000000-0000-0000-0000-000000000000"
UNKNOWN = "6b1dd2b0-9b5e-4b7c-8f0e-0b8f1a2c3d4e"


def error(answer):
    body = answer.json
    return answer.status, body["code"], body["message"]


def test_an_empty_list(server):
    assert server.get("/webhooks").body == b'{"results":[]}'


def test_create_get_list_delete(server):
    answer = server.post("/webhooks", {"url": "https://third.com", "headers": {"X-b": "2", "X-a": "1"}})
    assert answer.status == 201
    hook = answer.json
    assert list(hook) == ["uuid", "isEditable", "url", "headers"]
    assert uuid.UUID(hook["uuid"]).version == 4
    assert hook["isEditable"] is True
    assert hook["url"] == "https://third.com"  # verbatim
    assert list(hook["headers"].items()) == [("X-a", "1"), ("X-b", "2")]
    assert server.get(f"/webhooks/{hook['uuid']}").json == hook
    assert server.get("/webhooks").json == {"results": [hook]}
    gone = server.delete(f"/webhooks/{hook['uuid']}")
    assert (gone.status, gone.body) == (204, b"")
    assert server.get(f"/webhooks/{hook['uuid']}").status == 404


def test_the_list_is_sorted_by_uuid(server):
    made = [server.post("/webhooks", {"url": f"https://example.com/{i}"}).json["uuid"] for i in range(5)]
    assert [h["uuid"] for h in server.get("/webhooks").json["results"]] == sorted(made)


def test_any_spelling_of_a_uuid_is_accepted(server):
    made = server.post("/webhooks", {"url": "https://example.com"}).json
    for spelling in (made["uuid"].replace("-", ""), made["uuid"].upper(), "%7B" + made["uuid"] + "%7D",
                     "urn:uuid:" + made["uuid"]):
        assert server.get(f"/webhooks/{spelling}").json == made


def test_webhooks_survive_a_restart(start_server):
    first = start_server()
    made = first.post("/webhooks", {"url": "https://example.com", "headers": {"Authorization": "Bearer 0123456789"}}).json
    assert first.stop() == 0
    assert start_server().get("/webhooks").json == {"results": [made]}


def test_the_one_from_the_command_line(start_server):
    server = start_server("--task-webhook-url", "http://defined-in-test-cli.com", "--task-webhook-authorization-header",
                          "Bearer a-secret-token-defined-in-test-cli", *LOOPBACK)
    server.post("/webhooks", {"url": "https://example.com"})
    hooks = server.get("/webhooks").json["results"]
    assert len(hooks) == 2
    assert hooks[0] == {"uuid": NIL, "isEditable": False, "url": "http://defined-in-test-cli.com/",
                        "headers": {"Authorization": "Bearer a-secXXXXXX..."}}
    message = (f"Webhook `{NIL}` is immutable. The webhook defined from the command line cannot be modified using the API.")
    assert error(server.patch(f"/webhooks/{NIL}", {"url": "https://x.com"})) == (400, "immutable_webhook", message)
    assert error(server.delete(f"/webhooks/{NIL}")) == (400, "immutable_webhook", message)


@pytest.mark.parametrize("value, shown", [
    ("TOKEN", "XXX..."),
    ("UPDATED TOKEN", "UPXXXX..."),
    ("Bearer a-secret-token", "Bearer a-XXXX..."),
    ("x" * 29, "xxxXXXXX..."),
    ("123456789012345678901234567890", "12345XXXXXX..."),
    ("", "XXX..."),
])
def test_authorization_is_redacted(server, value, shown):
    made = server.post("/webhooks", {"url": "https://a.com", "headers": {"aUthorization": value, "X-Other": value}}).json
    assert made["headers"] == {"X-Other": value, "aUthorization": shown}
    assert value == "" or value not in server.log()


def test_patch_merges_headers_and_keeps_the_url(server):
    made = server.post("/webhooks", {"url": "https://a.com", "headers": {"A": "1", "B": "2"}}).json
    path = f"/webhooks/{made['uuid']}"
    changed = server.patch(path, {"headers": {"A": None, "C": "3"}})
    assert changed.status == 200
    assert changed.json == {**made, "headers": {"B": "2", "C": "3"}}
    assert server.patch(path, {"url": "https://b.com"}).json["headers"] == {"B": "2", "C": "3"}
    assert server.patch(path, {"headers": None}).json == {**made, "url": "https://b.com", "headers": {}}
    assert server.patch(path, {}).json["url"] == "https://b.com"


def test_null_headers_at_creation_are_empty_values(server):
    assert server.post("/webhooks", {"url": "https://a.com", "headers": {"A": None}}).json["headers"] == {"A": ""}


@pytest.mark.parametrize("body, code, message", [
    ({}, "invalid_webhook_url", r"The URL for the webhook `[0-9a-f-]{36}` is missing\."),
    ({"url": None}, "invalid_webhook_url", r"The URL for the webhook `[0-9a-f-]{36}` is missing\."),
    ({"url": ""}, "invalid_webhook_url", r"The URL for the webhook `[0-9a-f-]{36}` is missing\."),
    ({"url": "nonsense"}, "invalid_webhook_url", r"Invalid URL `nonsense`: relative URL without a base"),
    ({"url": "http://"}, "invalid_webhook_url", r"Invalid URL `http://`: empty host"),
    ({"url": "http://a:b"}, "invalid_webhook_url", r"Invalid URL `http://a:b`: invalid port number"),
    ({"url": "http://256.1.1.1"}, "invalid_webhook_url", r"Invalid URL `http://256\.1\.1\.1`: invalid IPv4 address"),
    ({"url": "http://[x]"}, "invalid_webhook_url", r"Invalid URL `http://\[x\]`: invalid IPv6 address"),
    ({"url": 1}, "invalid_webhook_url",
     r"Invalid value type at `\.url`: expected a string, but found a positive integer: `1`"),
    ({"url": "https://a.com", "headers": []}, "invalid_webhook_headers",
     r"Invalid value type at `\.headers`: expected an object, but found an array: `\[\]`"),
    ({"url": "https://a.com", "headers": {"a b": "1"}}, "invalid_webhook_headers",
     r"Invalid header name `a b`: invalid HTTP header name"),
    ({"url": "https://a.com", "headers": {"A": "1\n"}}, "invalid_webhook_headers",
     r"Invalid header value `A`: failed to parse header value"),
    ({"url": "https://a.com", "uuid": NIL}, "immutable_webhook_uuid",
     r"Immutable field `uuid`: expected one of `url`, `headers`"),
    ({"url": "https://a.com", "isEditable": True}, "immutable_webhook_is_editable",
     r"Immutable field `isEditable`: expected one of `url`, `headers`"),
    ({"urll": "https://a.com"}, "bad_request",
     r"Unknown field `urll`: did you mean `url`\? expected one of `url`, `headers`"),
    ([], "bad_request", r"Invalid value type: expected an object, but found an array: `\[\]`"),
])
def test_create_refuses(shared, body, code, message):
    status, found, text = error(shared.post("/webhooks", body))
    assert (status, found) == (400, code)
    assert re.fullmatch(message, text), text


@pytest.mark.parametrize("url", ["ftp://x", "mailto:a@b", "localhost:8080", "javascript:1", "http://127.0.0.1:1/x"])
def test_any_url_that_parses_is_registered(server, url):
    assert server.post("/webhooks", {"url": url}).json["url"] == url


@pytest.mark.parametrize("text, why", [
    ("invalid-uuid", "invalid character: found `i` at 0"),
    ("abcd", "invalid length: found 4"),
    ("ab-cd", "invalid group count: expected 5, found 2"),
    ("a-b-c-d-e", "invalid group length in group 0: expected 8, found 1"),
])
def test_bad_uuids(shared, text, why):
    for answer in (shared.get(f"/webhooks/{text}"), shared.patch(f"/webhooks/{text}", {}), shared.delete(f"/webhooks/{text}")):
        assert error(answer) == (400, "invalid_webhook_uuid", f"Invalid UUID: {why}")


def test_unknown_webhooks(shared):
    for answer in (shared.get(f"/webhooks/{UNKNOWN}"), shared.patch(f"/webhooks/{UNKNOWN}", {"url": "https://a.com"}),
                   shared.delete(f"/webhooks/{UNKNOWN}")):
        assert error(answer) == (404, "webhook_not_found", f"Webhook `{UNKNOWN}` not found.")
    assert error(shared.get(f"/webhooks/{NIL}")) == (404, "webhook_not_found", f"Webhook `{NIL}` not found.")
    assert shared.delete(f"/webhooks/{NIL}").json["code"] == "immutable_webhook"


def test_patch_judges_its_body_before_the_uuid(shared):
    assert shared.patch("/webhooks/not-a-uuid", {"doggo": 1}).json["code"] == "bad_request"
    assert shared.patch("/webhooks/not-a-uuid", {"url": "https://a.com"}).json["code"] == "invalid_webhook_uuid"


def test_patch_refuses_a_null_url(server):
    made = server.post("/webhooks", {"url": "https://a.com"}).json
    assert error(server.patch(f"/webhooks/{made['uuid']}", {"url": None})) == (
        400, "invalid_webhook_url", f"The URL for the webhook `{made['uuid']}` is missing.")


def test_at_most_20_webhooks_beside_the_command_lines(start_server):
    server = start_server("--task-webhook-url", "https://cli.example.com")
    for number in range(20):
        assert server.post("/webhooks", {"url": f"https://example.com/{number}"}).status == 201
    assert error(server.post("/webhooks", {"url": "https://example.com/20"})) == (
        400, "invalid_webhooks",
        "Defining too many webhooks would crush the server. Please limit the number of webhooks to 20. You may use a "
        "third-party proxy server to dispatch events to more than 20 endpoints.")
    assert len(server.get("/webhooks").json["results"]) == 21


def test_at_most_200_headers(server):
    headers = {f"H{i}": str(i) for i in range(200)}
    made = server.post("/webhooks", {"url": "https://a.com", "headers": headers})
    assert made.status == 201
    text = (r"Too many headers for the webhook `[0-9a-f-]{36}`\. Please limit the number of headers to 200\. Hint: To "
            r"remove an already defined header set its value to `null`")
    for answer in (server.post("/webhooks", {"url": "https://a.com", "headers": {**headers, "More": "1"}}),
                   server.patch(f"/webhooks/{made.json['uuid']}", {"headers": {"More": "1"}})):
        status, code, message = error(answer)
        assert (status, code) == (400, "invalid_webhook_headers")
        assert re.fullmatch(text, message)
    assert server.patch(f"/webhooks/{made.json['uuid']}", {"headers": {"H0": None, "More": "1"}}).status == 200


def test_a_blocked_literal_address_is_registered_with_a_warning(start_server):
    server = start_server()
    assert server.post("/webhooks", {"url": "http://127.0.0.1:9/x"}).status == 201
    assert "127.0.0.1" in server.wait_log("--experimental-allowed-ip-networks")
