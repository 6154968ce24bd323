"""Webhooks of providers (POST /v1/webhooks/...): who may send, what becomes of it, once; and the connections that say so.
Requests are signed here as contracts.md 5 says, and by the packages that the providers publish (tests/client/)."""
import base64
import gzip
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tarfile
import threading
import time
import urllib.parse

import pytest

from conftest import LOOPBACK, exchange, first_answer, wait_until

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "client"
README = CLIENT.parent.parent / "README.md"
PACKAGES = {"stripe": "stripe", "octokit-webhooks-methods": "@octokit/webhooks-methods",
            "standardwebhooks": "standardwebhooks", "fast-sha256": "fast-sha256", "stablelib-base64": "@stablelib/base64"}
CONNECTIONS = "/v1/organizations/connections"
ROUNDS = int(os.environ.get("TASKHOOK_INBOUND_ROUNDS", "12"))
SECRETS = {"mux": "mux_test_signing_secret_0001", "stripe": "whsec_stripe_test_0001", "github": "gh_test_secret_0001",
           "standard": "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", "slack": "slack_signing_secret_0001",
           "twilio": "twilio_auth_token_0001"}
TIMELESS = ("github", "twilio")  # these sign no time
TWILIO_URL = "https://hooks.example.com/v1/webhooks/twilio/conn_1"
OTHER_STANDARD = "whsec_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A="
UNKNOWN = "conn_" + "0" * 32
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MIB = 1024 * 1024

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


# --- signing


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256)


def sign_twilio(key, body, url=TWILIO_URL):
    params = sorted(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    signed = url + "".join(name + value for name, value in params)
    return {"X-Twilio-Signature": base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha1).digest()).decode()}


def sign(provider, body, secret=None, at=None, event_id="evt_1"):
    """The headers of a request, as the provider's."""
    secret, at = secret or SECRETS[provider], int(time.time() if at is None else at)
    key, stamp = secret.encode(), str(at).encode()
    if provider in ("mux", "stripe"):
        name = "Mux-Signature" if provider == "mux" else "Stripe-Signature"
        return {name: f"t={at},v1={mac(key, stamp, b'.', body).hexdigest()}"}
    if provider == "github":
        return {"X-Hub-Signature-256": "sha256=" + mac(key, body).hexdigest(), "X-GitHub-Delivery": event_id,
                "X-GitHub-Event": "issues"}
    if provider == "slack":
        return {"X-Slack-Request-Timestamp": str(at),
                "X-Slack-Signature": "v0=" + mac(key, b"v0:", stamp, b":", body).hexdigest()}
    if provider == "twilio":
        return sign_twilio(key, body)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(mac(key, event_id.encode(), b".", stamp, b".", body).digest()).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": "v1," + signature}


class Connection:
    """A connection of the server; send() signs and posts an event to it."""

    def __init__(self, server, provider, **config):
        self.server, self.provider = server, provider
        config.setdefault("webhook_secret", SECRETS[provider])
        if provider == "twilio":
            config.setdefault("url", TWILIO_URL)
        answer = server.post(CONNECTIONS, {"name": "test", "provider_type": provider, "provider_config": config})
        assert answer.status == 201, answer
        self.id = answer.json["connection_id"]
        self.path = f"/v1/webhooks/{provider}/{self.id}"

    def send(self, event, event_id="evt_1", headers=None, **options):
        body = event if isinstance(event, bytes) else self.written(event)
        signed = sign(self.provider, body, event_id=event_id, **options)
        kind = FORM if self.provider == "twilio" else {"Content-Type": "application/json"}
        return self.server.post(self.path, body, headers={**kind, **signed, **(headers or {})})

    def written(self, event):
        return (urllib.parse.urlencode(event) if self.provider == "twilio" else json.dumps(event)).encode()

    def handled(self, event, **options):
        answer = self.send(event, **options)
        assert answer.status == 200 and answer.json["handled"] is True, answer
        return answer.json


def mux_event(kind, asset="asset_01", event_id="evt_1", **data):
    return {"type": kind, "id": event_id, "object": {"type": "asset", "id": asset}, "data": {"id": asset, **data},
            "environment": {"name": "Production", "id": "env_01"}, "created_at": "2023-11-14T22:13:20.000000Z",
            "attempts": []}


def assert_error(answer, status, code):
    assert answer.status == status, answer
    assert answer.json["success"] is False and answer.json["status"] == status, answer
    assert answer.json["error"]["details"]["code"] == code, answer


def assert_ignored(answer, reason):
    assert answer.status == 200, answer
    assert (answer.json["handled"], answer.json["reason"]) == (False, reason), answer


def n_tasks(server):
    return server.get("/tasks?limit=1").json["total"]


def add_videos(server, *documents):
    server.done(server.post("/indexes/videos/documents?primaryKey=id", list(documents)))


# --- mux


def test_mux_deletion_deletes_the_document_with_that_id(server):
    add_videos(server, {"id": "asset_01"}, {"id": "asset_02"})
    mux = Connection(server, "mux", index="videos")
    answer = mux.handled(mux_event("video.asset.deleted"))
    assert answer["event_id"] == "evt_1" and answer["task_uids"] == [answer["task_uid"]]
    task = server.wait_task(answer["task_uid"])
    assert (task["type"], task["status"], task["details"]["deletedDocuments"]) == ("documentDeletion", "succeeded", 1)
    assert task["customMetadata"] == f"mux/{mux.id}/evt_1"
    assert [d["id"] for d in server.documents("videos")] == ["asset_02"]


def test_mux_deletion_deletes_every_document_whose_field_holds_the_id(server):
    add_videos(server, {"id": 1, "asset": "asset_01"}, {"id": 2, "asset": "ASSET_01"}, {"id": 3, "asset": ["x", "asset_01"]},
               {"id": 4, "asset": {"asset_01": 1}}, {"id": "asset_01"})
    mux = Connection(server, "mux", index="videos", id_field="asset")
    task = server.wait_task(mux.handled(mux_event("video.asset.deleted"))["task_uid"])
    assert (task["type"], task["details"]["deletedDocuments"]) == ("documentDeletion", 2)
    assert json.loads(task["details"]["originalFilter"]) == '"asset" = "asset_01"'
    assert [d["id"] for d in server.documents("videos")] == [2, 4, "asset_01"]


@pytest.mark.parametrize("asset", ['a" OR id EXISTS OR "', "a' OR 1=1", "\\", '"', "a\nb", "*", "é\u0000"])
def test_no_id_is_more_than_a_value(server, asset):
    add_videos(server, {"id": 1, "asset": "other"}, {"id": 2, "asset": asset})
    mux = Connection(server, "mux", index="videos", id_field="asset")
    task = server.wait_task(mux.handled(mux_event("video.asset.deleted", asset))["task_uid"])
    assert (task["status"], task["details"]["deletedDocuments"]) == ("succeeded", 1), task
    assert [d["id"] for d in server.documents("videos")] == [1]


def test_mux_update_changes_the_mapped_fields_only(server):
    add_videos(server, {"id": "asset_01", "title": "kept", "status": "preparing"}, {"id": "asset_02", "status": "preparing"})
    mux = Connection(server, "mux", index="videos",
                     fields={"status": "data.status", "seconds": "data.duration", "none": "data.none"})
    event = mux_event("video.asset.updated", status="ready", duration=12.50)
    task = server.wait_task(mux.handled(event)["task_uid"])
    assert (task["type"], task["status"]) == ("documentAdditionOrUpdate", "succeeded")
    assert server.documents("videos") == [{"id": "asset_01", "title": "kept", "status": "ready", "seconds": 12.5},
                                          {"id": "asset_02", "status": "preparing"}]


def test_mux_update_finds_documents_by_another_field(server):
    add_videos(server, *({"id": n, "asset": {"id": f"asset_{n % 2}"}, "n": n} for n in range(6)))
    mux = Connection(server, "mux", index="videos", id_field="asset.id", fields={"status": "data.status", "id": "data.id"})
    task = server.wait_task(mux.handled(mux_event("video.asset.updated", "asset_1", status="ready"))["task_uid"])
    assert (task["status"], task["details"]["indexedDocuments"]) == ("succeeded", 3), task
    assert [(d["id"], d.get("status")) for d in server.documents("videos")] == [
        (0, None), (1, "ready"), (2, None), (3, "ready"), (4, None), (5, "ready")]


def test_mux_update_of_an_unknown_asset_makes_no_document(server):
    add_videos(server, {"id": "asset_02"})
    mux = Connection(server, "mux", index="videos", fields={"status": "data.status"})
    server.wait_task(mux.handled(mux_event("video.asset.updated", status="ready"))["task_uid"])
    assert server.documents("videos") == [{"id": "asset_02"}]


def test_an_event_without_a_rule_is_not_handled(server):
    mux = Connection(server, "mux", index="videos")
    before = n_tasks(server)
    assert_ignored(mux.send(mux_event("video.asset.ready")), "unsubscribed_event")
    assert_ignored(mux.send(mux_event("video.asset.updated")), "unsubscribed_event")  # without `fields`
    assert n_tasks(server) == before


# --- rules of all providers


def test_upsert_makes_the_index_with_the_named_primary_key(server):
    stripe = Connection(server, "stripe", mappings=[
        {"event": "charge.*", "action": "upsert", "index": "charges", "id": "data.object.id", "id_field": "charge",
         "document": "data.object", "fields": {"event": "type"}}])
    event = {"id": "evt_0001", "type": "charge.succeeded", "data": {"object": {"amount": 100, "id": "ch_1"}}}
    assert server.wait_task(stripe.handled(event)["task_uid"])["status"] == "succeeded"
    assert server.documents("charges") == [{"charge": "ch_1", "amount": 100, "id": "ch_1", "event": "charge.succeeded"}]
    assert server.get("/indexes/charges").json["primaryKey"] == "charge"


def test_upsert_replaces_under_the_primary_key_of_the_index(server):
    server.done(server.post("/indexes/issues/documents?primaryKey=number", {"number": 7, "stale": True}))
    github = Connection(server, "github", mappings=[
        {"event": "issues.opened", "action": "upsert", "index": "issues", "id": "issue.number",
         "fields": {"title": "issue.title"}},
        {"event": "issues.deleted", "action": "delete", "index": "issues", "id": "issue.number"}])
    opened = github.handled({"action": "opened", "issue": {"number": 7, "title": "It breaks"}}, event_id="d-1")
    server.wait_task(opened["task_uid"])
    assert server.documents("issues") == [{"number": 7, "title": "It breaks"}]
    assert_ignored(github.send({"action": "labeled", "issue": {"number": 7}}, event_id="d-2"), "unsubscribed_event")
    server.wait_task(github.handled({"action": "deleted", "issue": {"number": 7}}, event_id="d-3")["task_uid"])
    assert server.documents("issues") == []


def test_several_rules_of_one_event_are_one_commit_in_order(server):
    standard = Connection(server, "standard", mappings=[
        {"event": "user.merged", "action": "delete", "index": "users", "id": "data.from"},
        {"event": "user.*", "action": "upsert", "index": "users", "id": "data.to", "fields": {"name": "data.name"}}])
    answer = standard.handled({"type": "user.merged", "data": {"from": "a", "to": "b", "name": "Zoë"}})
    assert len(answer["task_uids"]) == 2 and answer["task_uids"][1] == answer["task_uids"][0] + 1
    assert server.wait_task(answer["task_uids"][1])["status"] == "succeeded"
    assert server.documents("users") == [{"id": "b", "name": "Zoë"}]


@pytest.mark.parametrize("event, reason", [
    ({"type": "t", "data": {}}, "id_not_found"),
    ({"type": "t", "data": {"id": {"x": 1}}}, "id_not_found"),
    ({"type": "t", "data": {"id": "a/b"}}, "invalid_id"),
    ({"type": "t", "data": {"id": "x" * 512}}, "invalid_id"),
    ({"type": "t", "data": {"id": "a"}}, "nothing_to_update"),
    ([], "unsubscribed_event"),
])
def test_a_rule_that_does_not_apply_changes_nothing(server, event, reason):
    standard = Connection(server, "standard", mappings=[
        {"event": "t", "action": "delete", "index": "other", "id": "type"},
        {"event": "t", "action": "update", "index": "users", "id": "data.id", "fields": {"name": "data.name"}}])
    before = n_tasks(server)
    answer = standard.send(event)
    assert_ignored(answer, reason)
    assert reason == "unsubscribed_event" or ".provider_config.mappings[1]" in answer.json["message"]
    assert n_tasks(server) == before
    assert_ignored(standard.send(event), reason)  # nor is it remembered


def test_the_type_of_an_event_may_stand_elsewhere(server):
    standard = Connection(server, "standard", event_type_path="event.name", mappings=[
        {"event": "gone", "action": "delete", "index": "users", "id": "id"}])
    assert "task_uid" in standard.handled({"type": "x", "event": {"name": "gone"}, "id": 4})


def test_an_event_may_name_its_index(server):
    standard = Connection(server, "standard", mappings=[
        {"event": "*", "action": "upsert", "index_path": "data.kind", "id": "data.id"}])
    server.wait_task(standard.handled({"data": {"kind": "movies", "id": 1}})["task_uid"])
    assert server.documents("movies") == [{"id": 1}]
    assert_ignored(standard.send({"data": {"kind": "a/b", "id": 1}}, event_id="evt_2"), "invalid_index")


def test_an_inactive_connection_handles_nothing(server):
    mux = Connection(server, "mux", index="videos")
    assert server.patch(f"{CONNECTIONS}/{mux.id}", {"is_active": False}).json["status"] == "INACTIVE"
    assert_ignored(mux.send(mux_event("video.asset.deleted")), "inactive_connection")
    server.patch(f"{CONNECTIONS}/{mux.id}", {"is_active": True})
    mux.handled(mux_event("video.asset.deleted"))


def test_publish_sends_an_event_to_those_who_subscribed(server, receiver):
    answer = server.post("/v1/organizations/webhooks", {
        "webhook_name": "alerts", "event_types": ["alert.triggered"],
        "channels": [{"channel": "webhook", "configs": {"url": receiver.url}}]})
    assert answer.status == 201, answer
    github = Connection(server, "github", mappings=[
        {"event": "issues.*", "action": "publish", "event_type": "alert.triggered", "namespace_id": "support",
         "subject": {"type": "issue", "id": "issue.number"}, "metadata": {"title": "issue.title"}}])
    handled = github.handled({"action": "opened", "issue": {"number": 7, "title": "It breaks"}}, event_id="d-1")
    assert handled["task_uids"] == [] and len(handled["published"]) == 1
    event = json.loads(receiver.next().body)
    assert event["event_id"] == handled["published"][0]
    assert (event["event_type"], event["namespace_id"]) == ("alert.triggered", "support")
    assert (event["subject"], event["metadata"]) == ({"type": "issue", "id": "7"}, {"title": "It breaks"})
    again = github.handled({"action": "opened", "issue": {"number": 7, "title": "It breaks"}}, event_id="d-1")
    assert again["duplicate"] is True and again["published"] == handled["published"]


# --- greetings and forms


def test_slack_is_answered_its_challenge(server):
    slack = Connection(server, "slack")
    answer = slack.send({"type": "url_verification", "token": "x", "challenge": "3eZbrw1aB"})
    assert (answer.status, answer.body) == (200, b"3eZbrw1aB")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert_error(slack.send({"type": "url_verification", "challenge": "x"}, secret="not the secret"), 401,
                 "invalid_signature")


def test_github_ping_is_answered(server):
    github = Connection(server, "github", mappings=[{"event": "*", "action": "delete", "index": "x", "id": "hook_id"}])
    assert_ignored(github.send({"zen": "Keep it logically awesome.", "hook_id": 42}, headers={"X-GitHub-Event": "ping"}),
                   "ping")


def test_slash_commands_and_forms_are_understood(server):
    slack = Connection(server, "slack", mappings=[
        {"event": "slash_command.deploy", "action": "upsert", "index": "commands", "id": "trigger_id",
         "fields": {"text": "text"}}])
    body = b"token=xyz&team_id=T1&command=%2Fdeploy&text=docs+now&trigger_id=1"
    server.wait_task(slack.handled(body, headers=FORM)["task_uid"])
    assert server.documents("commands") == [{"id": "1", "text": "docs now"}]
    github = Connection(server, "github", mappings=[{"event": "issues", "action": "upsert", "index": "issues", "id": "id"}])
    payload = b"payload=" + urllib.parse.quote(json.dumps({"id": 5})).encode()
    server.wait_task(github.handled(payload, headers=FORM)["task_uid"])
    assert server.documents("issues") == [{"id": 5}]


# --- twilio

TWILIO_RULES = [{"event": "delivered", "action": "upsert", "index": "messages", "id": "MessageSid",
                 "fields": {"to": "To", "status": "MessageStatus"}}]
TWILIO_VECTOR = b"MessageSid=SM0001&MessageStatus=delivered&To=%2B15550001111"


def test_twilio_s_status_callback_becomes_a_task(server):
    twilio = Connection(server, "twilio", mappings=TWILIO_RULES)
    answer = server.post(twilio.path, TWILIO_VECTOR, headers={**FORM, "X-Twilio-Signature": "Zy2ToCpAzJz7YrBtb1u/BEjmxnk="})
    assert answer.status == 200 and answer.json["event_id"] == "SM0001.delivered", answer
    task = server.wait_task(answer.json["task_uid"])
    assert (task["status"], task["customMetadata"]) == ("succeeded", f"twilio/{twilio.id}/SM0001.delivered")
    assert server.documents("messages") == [{"id": "SM0001", "to": "+15550001111", "status": "delivered"}]


def test_a_status_of_a_message_is_handled_once(server):
    twilio = Connection(server, "twilio", mappings=[{**TWILIO_RULES[0], "event": "*"}])
    sent = {"MessageSid": "SM1", "MessageStatus": "sent", "To": "+15550001111"}
    first = twilio.handled(sent)
    assert twilio.handled(sent) == {**first, "duplicate": True}
    assert twilio.handled({**sent, "RawDlrDoneDate": "2311142213"})["duplicate"] is True  # a repeat that says more
    assert "duplicate" not in twilio.handled({**sent, "MessageStatus": "delivered"})
    assert "duplicate" not in twilio.handled({**sent, "MessageSid": "SM2"})


@pytest.mark.parametrize("changed", [b"MessageSid=SM0001&MessageStatus=failed&To=%2B15550001111",
                                     b"MessageSid=SM0002&MessageStatus=delivered&To=%2B15550001111",
                                     TWILIO_VECTOR + b"&Body=x", TWILIO_VECTOR[:-1], b""])
def test_a_changed_field_of_twilio_is_refused(server, changed):
    twilio = Connection(server, "twilio", mappings=TWILIO_RULES)
    headers = {**FORM, **sign("twilio", TWILIO_VECTOR)}
    assert_error(server.post(twilio.path, changed, headers=headers), 401, "invalid_signature")
    assert n_tasks(server) == 0


def test_twilio_s_signature_is_of_the_address_it_was_given(server):
    url = "http://127.0.0.1:7700/hooks?team=1"
    twilio = Connection(server, "twilio", mappings=TWILIO_RULES, url=url)
    assert_error(twilio.send(TWILIO_VECTOR), 401, "invalid_signature")
    right = sign_twilio(SECRETS["twilio"].encode(), TWILIO_VECTOR, url)
    assert server.post(twilio.path, TWILIO_VECTOR, headers={**FORM, **right}).json["handled"] is True
    server.patch(f"{CONNECTIONS}/{twilio.id}", {"provider_config": {"url": TWILIO_URL}})
    assert_error(server.post(twilio.path, TWILIO_VECTOR, headers={**FORM, **right}), 401, "invalid_signature")
    assert twilio.handled(TWILIO_VECTOR)["duplicate"] is True


def test_a_message_that_comes_in_has_the_type_received(server):
    twilio = Connection(server, "twilio", mappings=[
        {"event": "received", "action": "upsert", "index": "inbox", "id": "MessageSid",
         "fields": {"text": "Body", "n": "payload"}}])
    said = {"MessageSid": "SM3", "SmsStatus": "received", "Body": "Grüße & more", "payload": "{}", "NumMedia": "0"}
    server.wait_task(twilio.handled(said)["task_uid"])
    assert server.documents("inbox") == [{"id": "SM3", "text": "Grüße & more", "n": "{}"}]
    assert_ignored(twilio.send({"MessageSid": "SM3", "MessageStatus": "read"}), "unsubscribed_event")


def test_old_and_new_tokens_of_twilio_are_valid_while_both_are_there(server):
    twilio = Connection(server, "twilio", mappings=TWILIO_RULES, webhook_secret=None,
                        webhook_secrets=["an old token", SECRETS["twilio"]])
    for secret in ("an old token", SECRETS["twilio"]):
        assert twilio.send(TWILIO_VECTOR, secret=secret).status == 200
    assert_error(twilio.send(TWILIO_VECTOR, secret="a third token"), 401, "invalid_signature")


def test_a_connection_of_twilio_keeps_its_address(start_server):
    server = start_server(*LOOPBACK)
    twilio = Connection(server, "twilio", mappings=TWILIO_RULES)
    path = f"{CONNECTIONS}/{twilio.id}"
    config = {"webhook_secret": "XXX...", "url": TWILIO_URL, "mappings": TWILIO_RULES}
    assert server.get(path).json["provider_config"] == config
    assert server.patch(path, {"provider_config": {"mappings": []}}).json["provider_config"] == {**config, "mappings": []}
    assert_error(server.patch(path, {"provider_config": {"url": None}}), 422, "invalid_connection")
    assert_error(server.put(path, {"name": "n", "provider_config": {}}), 422, "invalid_connection")
    server.put(path, {"name": "n", "provider_config": config})
    assert_error(server.post(f"/v1/webhooks/mux/{twilio.id}", TWILIO_VECTOR, headers=sign("mux", TWILIO_VECTOR)), 404,
                 "connection_not_found")
    server.kill()
    twilio.server = server = start_server(*LOOPBACK)
    assert server.get(path).json["provider_config"] == config
    twilio.handled(TWILIO_VECTOR)


# --- who may send


GITHUB_VECTOR = b'{"zen":"Keep it logically awesome.","hook_id":42}'
GITHUB_SHA1 = {"X-Hub-Signature": "sha1=00aa7acb7fca92974493c19b5135a552edbe50f3"}
GITHUB_SHA256 = {"X-Hub-Signature-256": "sha256=6ea41896c7554bf1ff55edf08bf258706e8036bfb1031fad9cd82cf5db9389f4"}


def test_sha1_alone_does_not_open_a_connection_of_github(server):
    github = Connection(server, "github", mappings=[{"event": "push", "action": "delete", "index": "x", "id": "hook_id"}])
    named = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1"}
    right = hmac.new(SECRETS["github"].encode(), GITHUB_VECTOR, hashlib.sha1).hexdigest()
    assert GITHUB_SHA1["X-Hub-Signature"] == f"sha1={right}"  # so it is refused for what it is
    for headers in (GITHUB_SHA1, {"X-Hub-Signature-256": GITHUB_SHA1["X-Hub-Signature"]}):
        assert_error(server.post(github.path, GITHUB_VECTOR, headers={**named, **headers}), 401, "invalid_signature")
    assert n_tasks(server) == 0


def test_github_s_sha256_counts_beside_its_sha1(server):
    github = Connection(server, "github", mappings=[{"event": "push", "action": "delete", "index": "x", "id": "hook_id"}])
    named = {"Content-Type": "application/json", "X-GitHub-Event": "push"}
    for n, old in enumerate((GITHUB_SHA1, {"X-Hub-Signature": "sha1=" + "0" * 40})):
        answer = server.post(github.path, GITHUB_VECTOR, headers={**named, **GITHUB_SHA256, **old, "X-GitHub-Delivery": f"d-{n}"})
        assert answer.status == 200 and answer.json["handled"] is True, answer


@pytest.mark.parametrize("provider", SECRETS)
def test_a_wrong_signature_changes_nothing(server, provider):
    connection = Connection(server, provider, mappings=[
        {"event": "*", "action": "upsert", "index": "movies", "id": "id"}])
    before, event = n_tasks(server), {"type": "t", "id": "a"}
    other = OTHER_STANDARD if provider == "standard" else "another secret"
    assert_error(connection.send(event, secret=other), 401, "invalid_signature")
    body = connection.written(event)
    headers = {"Content-Type": "application/json", **sign(provider, body)}
    assert_error(server.post(connection.path, body + b" ", headers=headers), 401, "invalid_signature")
    assert_error(server.post(connection.path, body, headers={"Content-Type": "application/json"}), 401, "invalid_signature")
    assert n_tasks(server) == before
    assert "task_uid" in connection.handled(event)


@pytest.mark.parametrize("provider", [p for p in SECRETS if p not in TIMELESS])
@pytest.mark.parametrize("age", [-400, 400])
def test_a_time_beyond_the_tolerance_is_refused(server, provider, age):
    connection = Connection(server, provider, mappings=[{"event": "*", "action": "delete", "index": "movies", "id": "id"}])
    event = {"type": "t", "id": "a"}
    assert_error(connection.send(event, at=time.time() - age), 401, "invalid_signature")
    server.patch(f"{CONNECTIONS}/{connection.id}", {"provider_config": {"tolerance": 500}})
    connection.handled(event, at=time.time() - age)


def test_an_unknown_connection_is_not_found(server):
    mux = Connection(server, "mux")
    body = json.dumps(mux_event("x")).encode()
    for path in (f"/v1/webhooks/mux/{UNKNOWN}", "/v1/webhooks/mux/x", f"/v1/webhooks/stripe/{mux.id}",
                 f"/v1/webhooks/nobody/{mux.id}"):
        assert_error(server.post(path, body, headers=sign("mux", body)), 404, "connection_not_found")
    assert server.delete(f"{CONNECTIONS}/{mux.id}").status == 204
    assert_error(mux.send(mux_event("x")), 404, "connection_not_found")


def test_a_connection_without_a_secret_is_forbidden(server):
    mux = Connection(server, "mux", webhook_secret=None)
    assert_error(mux.send(mux_event("x")), 403, "connection_without_secret")
    server.patch(f"{CONNECTIONS}/{mux.id}", {"provider_config": {"webhook_secret": SECRETS["mux"]}})
    assert_ignored(mux.send(mux_event("x")), "unsubscribed_event")


def test_a_refusal_computes_as_much_for_an_unknown_connection(start_server):
    server = start_server("--experimental-enable-metrics", *LOOPBACK)

    def hashed():
        text = server.get("/metrics").body.decode()
        return int(re.search(r"^taskhook_inbound_signed_bytes_total (\d+)", text, re.M).group(1))

    def work_of(path, body, headers):
        before = hashed()
        assert server.post(path, body, headers=headers).status in (401, 403, 404)
        return hashed() - before

    for provider in SECRETS:
        rotating = Connection(server, provider, webhook_secret=None, webhook_secrets=[SECRETS[provider]] * 4)
        silent, one = Connection(server, provider, webhook_secret=None), Connection(server, provider)
        headers = sign(provider, b"something else")
        if provider == "standard":
            headers["webhook-signature"] += " v1a," + base64.b64encode(b"s" * 64).decode()
        for body in (b"{}", b"p" * 300_000):
            paths = [c.path for c in (rotating, silent, one)] + [f"/v1/webhooks/{provider}/{UNKNOWN}"]
            work = {work_of(path, body, headers) for path in paths}
            assert len(work) == 1 and work.pop() >= 4 * len(body)


def test_old_and_new_secrets_are_valid_while_both_are_there(server):
    stripe = Connection(server, "stripe", webhook_secret="whsec_stripe_old_0000")
    path = f"{CONNECTIONS}/{stripe.id}"
    both = {"webhook_secrets": [SECRETS["stripe"], "whsec_XXX..."]}
    shown = server.patch(path, {"provider_config": both}).json["provider_config"]
    assert shown["webhook_secrets"] == ["whsec_XXX...", "whsec_XXX...#2"]
    event = {"id": "e", "type": "t"}
    assert stripe.send(event).status == stripe.send(event, secret="whsec_stripe_old_0000").status == 200
    server.patch(path, {"provider_config": {"webhook_secrets": ["whsec_XXX..."]}})
    assert stripe.send(event).status == 200
    assert_error(stripe.send(event, secret="whsec_stripe_old_0000"), 401, "invalid_signature")


def test_a_public_key_verifies_v1a(server):
    vector = json.loads('{"type":"report.completed","timestamp":"2023-11-14T22:13:20Z","data":{"taskId":"789"}}')
    body = json.dumps(vector, separators=(",", ":")).encode()
    public = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    standard = Connection(server, "standard", webhook_secret=public)
    assert server.get(f"{CONNECTIONS}/{standard.id}").json["provider_config"]["webhook_secret"] == public
    signature = "37C1uHOKa/XiAu5lQH+iZ2E9ajF5Dzo1+TV+KH3j2IRR1WxMQjSSynTSJmq6+FhowYg6e/WHvTkU6BB8omx7DQ=="
    headers = {"webhook-id": "msg_test0001", "webhook-timestamp": "1700000000", "webhook-signature": "v1a," + signature}
    answer = server.post(standard.path, body, headers=headers)  # the signature is right, its time long ago
    assert answer.status == 401 and "away from now" in answer.json["error"]["message"]
    answer = server.post(standard.path, body + b" ", headers=headers)
    assert answer.status == 401 and "not valid" in answer.json["error"]["message"]


def test_svix_names_its_headers_otherwise(server):
    standard = Connection(server, "standard")
    body = b'{"type":"t"}'
    headers = {name.replace("webhook-", "svix-"): value for name, value in sign("standard", body).items()}
    assert_ignored(server.post(standard.path, body, headers=headers), "unsubscribed_event")


def test_no_authorization_is_asked_of_providers(start_server):
    server = start_server("--master-key", "a master key of a test", *LOOPBACK)
    key = {"Authorization": "Bearer a master key of a test"}
    answer = server.post(CONNECTIONS, {"name": "n", "provider_type": "mux", "provider_config": {
        "webhook_secret": SECRETS["mux"]}}, headers=key)
    body = json.dumps(mux_event("x")).encode()
    assert_ignored(server.post(answer.json["webhook_path"], body, headers=sign("mux", body)), "unsubscribed_event")
    assert_error(server.get(CONNECTIONS), 401, "missing_authorization_header")
    assert_error(server.get(CONNECTIONS, headers={"Authorization": "Bearer wrong"}), 401, "unknown_api_key")


# --- the bytes


def test_the_signature_is_over_the_bytes_as_sent(server):
    mux = Connection(server, "mux", index="videos")
    odd = bytes.fromhex("7b226e616d65223a22636166c3a9222c2020226e223a312e307d0d0a")
    assert_ignored(mux.send(odd), "unsubscribed_event")
    packed = gzip.compress(json.dumps(mux_event("video.asset.deleted")).encode())
    mux.handled(packed, headers={"Content-Encoding": "gzip"})
    answer = mux.send(packed[:-9], headers={"Content-Encoding": "gzip"})
    assert_error(answer, 400, "bad_request")
    assert_error(mux.send(packed, headers={"Content-Encoding": "br"}), 415, "unsupported_media_type")


def test_a_body_has_at_most_1_mib(server):
    mux = Connection(server, "mux", index="videos")
    event = mux_event("video.asset.deleted", pad="")
    event["data"]["pad"] = "p" * (MIB - len(json.dumps(event)))
    assert len(json.dumps(event)) == MIB
    mux.handled(event)
    answer = mux.send(json.dumps(event).encode() + b" ")
    assert_error(answer, 413, "payload_too_large")
    bomb = gzip.compress(json.dumps(event).encode() + b" ")
    assert_error(mux.send(bomb, headers={"Content-Encoding": "gzip"}), 413, "payload_too_large")


def test_what_is_not_json_is_refused_after_the_signature(server):
    mux = Connection(server, "mux")
    for body in (b"", b"{", b"a=b", b"{} x"):
        assert_error(mux.send(body), 400, "malformed_payload")
        assert_error(mux.send(body, secret="another secret"), 401, "invalid_signature")


def test_a_body_in_pieces_is_one_body(server):
    mux = Connection(server, "mux", index="videos")
    body = json.dumps(mux_event("video.asset.deleted")).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in sign("mux", body).items())
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 50]), body[i:i + 50]) for i in range(0, len(body), 50))
    said = exchange(server, f"POST {mux.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                    f"{head}\r\n".encode(), chunks + b"0\r\n\r\n")
    assert first_answer(said).json["handled"] is True


# --- once


def test_an_event_is_handled_once(server):
    mux = Connection(server, "mux", index="videos")
    first = mux.handled(mux_event("video.asset.deleted"))
    before = n_tasks(server)
    again = mux.handled(mux_event("video.asset.deleted"), at=time.time() - 5)  # signed anew, as retries are
    assert again == {**first, "duplicate": True}
    assert n_tasks(server) == before
    assert "duplicate" not in mux.handled(mux_event("video.asset.deleted", event_id="evt_2"))
    assert "duplicate" not in Connection(server, "mux", index="videos").handled(mux_event("video.asset.deleted"))


def test_events_without_an_id_are_known_by_what_was_signed(server):
    stripe = Connection(server, "stripe", mappings=[{"event": "*", "action": "delete", "index": "x", "id": "n"}])
    at = time.time()
    stripe.handled({"type": "t", "n": 1}, at=at)
    assert stripe.handled({"type": "t", "n": 1}, at=at)["duplicate"] is True
    assert "duplicate" not in stripe.handled({"type": "t", "n": 1}, at=at - 1)


def test_a_long_id_is_remembered_and_not_repeated(server):
    mux = Connection(server, "mux", index="videos")
    for n, shown in ((512, True), (513, False)):
        event = mux_event("video.asset.deleted", event_id="e" * n)
        first = mux.handled(event)
        assert first["event_id"] == ("e" * n if shown else None)
        assert mux.handled(event) == {**first, "duplicate": True}
        assert server.wait_task(first["task_uid"])["customMetadata"] == f"mux/{mux.id}/{'e' * n if shown else ''}"


def test_a_value_of_a_field_has_at_most_4_kib(server):
    add_videos(server, {"id": 1, "asset": "a" * 4096})
    mux = Connection(server, "mux", index="videos", id_field="asset")
    assert_ignored(mux.send(mux_event("video.asset.deleted", "a" * 4097)), "invalid_id")
    server.wait_task(mux.handled(mux_event("video.asset.deleted", "a" * 4096))["task_uid"])
    assert server.documents("videos") == []


def test_what_the_rules_make_of_an_event_has_at_most_4_mib(server):
    rule = {"event": "*", "action": "upsert", "index": "m", "id": "id", "document": "d"}
    for n, handled in ((4, True), (5, False)):
        standard = Connection(server, "standard", mappings=[rule] * n)
        answer = standard.send({"id": 1, "d": {"pad": "p" * 900_000}})
        assert answer.json["handled"] is handled
        assert handled or answer.json["reason"] == "document_too_large"


def test_parallel_repeats_make_one_task(server):
    mux = Connection(server, "mux", index="videos")
    answers = []

    def send():
        answers.append(mux.handled(mux_event("video.asset.deleted")))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({a["task_uid"] for a in answers}) == 1 and sum("duplicate" not in a for a in answers) == 1


def test_what_was_seen_is_known_after_a_restart(start_server):
    server = start_server(*LOOPBACK)
    mux = Connection(server, "mux", index="videos")
    first = mux.handled(mux_event("video.asset.deleted"))
    server.kill()
    mux.server = start_server(*LOOPBACK)
    assert mux.handled(mux_event("video.asset.deleted")) == {**first, "duplicate": True}


class Sender(threading.Thread):
    """Sends events until the server dies; remembers which were answered, and with which task."""

    def __init__(self, connection, name, answered):
        super().__init__(daemon=True)
        self.connection, self.name_, self.answered, self.sent = connection, name, answered, []

    def run(self):
        peer = http.client.HTTPConnection("127.0.0.1", self.connection.server.port, timeout=30)
        try:
            for n in range(100000):
                event = f"{self.name_}-{n // 2}"  # each twice, as impatient providers do
                self.sent.append(event)
                body = json.dumps({"type": "t", "id": event, "data": {"pad": "p" * 50}}).encode()
                peer.request("POST", self.connection.path, body, sign("stripe", body))
                answer = peer.getresponse()
                said = json.loads(answer.read())
                assert answer.status == 200 and said["handled"], said
                self.answered.setdefault(event, said["task_uid"])
                assert self.answered[event] == said["task_uid"], said
        except (OSError, http.client.HTTPException):
            peer.close()


def test_sigkill_leaves_exactly_one_task_for_every_answered_event(start_server):
    rng, answered, sent = random.Random(5), {}, set()
    server = start_server(*LOOPBACK)
    stripe = Connection(server, "stripe", mappings=[
        {"event": "t", "action": "upsert", "index": "events", "id": "id", "fields": {"pad": "data.pad"}}])
    for n in range(ROUNDS):
        target = len(answered) + rng.randrange(1, 40)
        senders = [Sender(stripe, f"r{n}-s{i}", answered) for i in range(4)]
        for sender in senders:
            sender.start()
        wait_until(lambda: len(answered) >= target, lambda: server.log(), server.process)
        server.kill()
        for sender in senders:
            sender.join()
            sent.update(sender.sent)
        stripe.server = server = start_server(*LOOPBACK)
    for event in sent:  # also those whose answer was lost
        said = stripe.handled({"type": "t", "id": event, "data": {"pad": "p" * 50}})
        assert event not in answered or (said["task_uid"] == answered[event] and said["duplicate"])
    last = max(server.get("/tasks?limit=1").json["results"], key=lambda t: t["uid"])["uid"]
    server.wait_task(last)
    tasks, origins = [], []
    while len(tasks) < n_tasks(server):
        query = f"&from={tasks[-1]['uid'] - 1}" if tasks else ""
        tasks += server.get(f"/tasks?limit=1000{query}").json["results"]
    origins = [t["customMetadata"].rsplit("/", 1)[1] for t in tasks]
    assert len(origins) == len(set(origins)) and set(origins) == sent
    assert all(t["status"] == "succeeded" for t in tasks)
    by_event = {t["customMetadata"].rsplit("/", 1)[1]: t["uid"] for t in tasks}
    assert all(by_event[event] == uid for event, uid in answered.items())


# --- the packages of the providers


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    """signers([{provider, secret, body, timestamp, id}]): the headers that the packages make."""
    directory = tmp_path_factory.mktemp("signers")
    for archive_name, package in PACKAGES.items():
        place = directory / "node_modules" / package
        place.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(next(CLIENT.glob(f"{archive_name}-[0-9]*.tgz"))) as archive:
            archive.extractall(directory)
        (directory / "package").rename(place)
    shutil.copy(CLIENT / "inbound.sign.mjs", directory)

    def run(asked):
        ended = subprocess.run(["node", "inbound.sign.mjs"], cwd=directory, input=json.dumps(asked), text=True,
                               capture_output=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


@needs_node
@pytest.mark.parametrize("provider", ["stripe", "github", "standard"])
def test_what_the_provider_s_package_signs_is_accepted(server, signers, provider):
    connection = Connection(server, provider, mappings=[{"event": "*", "action": "upsert", "index": "x", "id": "id"}])
    bodies = [json.dumps({"id": "a", "type": "t"}), '{ "id":"b",\r\n "type" : "café 🎬" }']
    asked = [{"provider": provider, "secret": SECRETS[provider], "body": body, "timestamp": int(time.time()),
              "id": f"msg_{n}"} for n, body in enumerate(bodies)]
    wrong = {**asked[0], "secret": OTHER_STANDARD if provider == "standard" else "another secret"}
    *signed, refused = signers([*asked, wrong])
    for body, headers in zip(bodies, signed):
        answer = server.post(connection.path, body, headers={"Content-Type": "application/json", **headers})
        assert answer.status == 200 and answer.json["handled"] is True, answer
    assert_error(server.post(connection.path, bodies[0], headers=refused), 401, "invalid_signature")


# --- connections


def make(server, **fields):
    return server.post(CONNECTIONS, {"name": "n", "provider_type": "mux", "provider_config": {}, **fields})


def test_a_connection_can_be_made_read_changed_and_removed(server):
    made = make(server, name="Videos", description="of Mux", metadata={"team": 1},
                provider_config={"webhook_secret": SECRETS["mux"], "index": "videos"})
    assert made.status == 201
    connection = made.json
    assert re.fullmatch("conn_[0-9a-f]{32}", connection["connection_id"])
    assert connection["provider_config"] == {"webhook_secret": "XXX...", "tolerance": 300, "index": "videos"}
    assert (connection["status"], connection["is_active"], connection["consecutive_failures"]) == ("ACTIVE", True, 0)
    path = f"{CONNECTIONS}/{connection['connection_id']}"
    for spelling in (path, path + "/"):
        assert server.get(spelling).json == connection
    changed = server.patch(path, {"name": "New", "provider_config": {"tolerance": 60, "index": None}}).json
    assert (changed["name"], changed["description"], changed["metadata"]) == ("New", "of Mux", {"team": 1})
    assert changed["provider_config"] == {"webhook_secret": "XXX...", "tolerance": 60}
    replaced = server.put(path, {"name": "Bare", "provider_config": {}}).json
    assert (replaced["description"], replaced["metadata"]) == (None, {})
    assert replaced["provider_config"] == {"webhook_secret": None, "tolerance": 300}
    assert server.delete(path + "/").status == server.delete(path).status == 204
    assert_error(server.get(path), 404, "connection_not_found")
    assert_error(server.patch(path, {}), 404, "connection_not_found")


def test_what_is_shown_can_be_sent_back(server):
    mux = Connection(server, "mux", index="videos", webhook_secret=SECRETS["mux"])
    path = f"{CONNECTIONS}/{mux.id}"
    shown = server.get(path).json
    kept = server.put(path, shown).json
    assert {**kept, "updated_at": None} == {**shown, "updated_at": None}
    mux.handled(mux_event("video.asset.deleted"))


def test_secrets_are_not_shown_nor_logged(start_server):
    server = start_server("--log-level", "TRACE", *LOOPBACK)
    mux = Connection(server, "mux")
    mux.send(mux_event("x"))
    mux.send(mux_event("x"), secret="another secret")
    shown = server.get(f"{CONNECTIONS}/{mux.id}").body + server.get(CONNECTIONS).body
    assert SECRETS["mux"].encode() not in shown and SECRETS["mux"] not in server.log()


def test_connections_survive_a_crash(start_server):
    server = start_server(*LOOPBACK)
    mux = Connection(server, "mux", index="videos")
    server.kill()
    mux.server = start_server(*LOOPBACK)
    mux.handled(mux_event("video.asset.deleted"))


@pytest.mark.parametrize("spelling", ["", "/"])
def test_connections_are_listed_in_pages(server, spelling):
    ids = [make(server, name=f"n{n}").json["connection_id"] for n in range(5)]
    listed = server.post(f"{CONNECTIONS}/list{spelling}?limit=2&offset=2", headers={"Content-Type": "application/json"})
    assert listed.status == 200 and listed.json["total"] == 5
    page = listed.json["pagination"]
    assert (page["total"], page["page"], page["page_size"], page["total_pages"]) == (5, 2, 2, 3)
    assert page["next_page"] == f"{CONNECTIONS}?limit=2&offset=4" and page["previous_page"] == f"{CONNECTIONS}?limit=2&offset=0"
    rest = server.get(f"{CONNECTIONS}?limit=2&cursor={page['next_cursor']}").json
    assert len(rest["results"]) == 1 and rest["pagination"]["next_cursor"] is None
    everything = server.get(CONNECTIONS + spelling).json["results"]
    assert {c["connection_id"] for c in everything} == set(ids)
    assert [c["connection_id"] for c in listed.json["results"]] == [c["connection_id"] for c in everything[2:4]]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=10001", "limit=x", "no=1", "cursor=x"])
def test_a_listing_refuses_what_is_out_of_range(shared, query):
    assert shared.get(f"{CONNECTIONS}?{query}").status in (400, 422)


@pytest.mark.parametrize("fields, location", [
    ({"name": ""}, ["name"]),
    ({"name": "n" * 201}, ["name"]),
    ({"name": 1}, ["name"]),
    ({"name": None}, ["name"]),
    ({"provider_type": "nobody"}, ["provider_type"]),
    ({"provider_type": None}, ["provider_type"]),
    ({"provider_config": None}, ["provider_config"]),
    ({"provider_config": []}, ["provider_config"]),
    ({"provider_config": {"webhook_secret": "short"}}, ["provider_config", "webhook_secret"]),
    ({"provider_config": {"webhook_secret": 12345678}}, ["provider_config", "webhook_secret"]),
    ({"provider_config": {"webhook_secret": "XXX..."}}, ["provider_config", "webhook_secret"]),
    ({"provider_config": {"webhook_secrets": ["a secret 1"] * 5}}, ["provider_config", "webhook_secrets"]),
    ({"provider_config": {"webhook_secrets": ["a secret 1", ""]}}, ["provider_config", "webhook_secrets", 1]),
    ({"provider_config": {"webhook_secret": "a secret 1", "webhook_secrets": []}}, ["provider_config", "webhook_secret"]),
    ({"provider_config": {"tolerance": 0}}, ["provider_config", "tolerance"]),
    ({"provider_config": {"tolerance": 86401}}, ["provider_config", "tolerance"]),
    ({"provider_config": {"tolerance": "300"}}, ["provider_config", "tolerance"]),
    ({"provider_config": {"secret": "x"}}, ["provider_config", "secret"]),
    ({"provider_config": {"index": "a/b"}}, ["provider_config", "index"]),
    ({"provider_config": {"id_field": "x"}}, ["provider_config", "index"]),
    ({"provider_config": {"mappings": [{"action": "delete", "event": "x", "index": "i", "id": "a..b"}]}},
     ["provider_config", "mappings", 0, "id"]),
    ({"provider_type": "github", "provider_config": {"tolerance": 300}}, ["provider_config", "tolerance"]),
    ({"provider_type": "standard", "provider_config": {"webhook_secret": "whsec_short"}},
     ["provider_config", "webhook_secret"]),
    ({"provider_type": "twilio"}, ["provider_config", "url"]),
    ({"provider_type": "twilio", "provider_config": {"url": 1}}, ["provider_config", "url"]),
    ({"provider_type": "twilio", "provider_config": {"url": "ftp://h/"}}, ["provider_config", "url"]),
    ({"provider_type": "twilio", "provider_config": {"url": "https://a:b@h/"}}, ["provider_config", "url"]),
    ({"provider_type": "twilio", "provider_config": {"url": TWILIO_URL + "x" * 2048}}, ["provider_config", "url"]),
    ({"provider_type": "twilio", "provider_config": {"url": TWILIO_URL, "tolerance": 300}}, ["provider_config", "tolerance"]),
    ({"provider_config": {"url": TWILIO_URL}}, ["provider_config", "url"]),
    ({"description": "d" * 1001}, ["description"]),
    ({"metadata": []}, ["metadata"]),
    ({"metadata": {"m": "m" * 16 * 1024}}, ["metadata"]),
    ({"is_active": 1}, ["is_active"]),
    ({"unknown": 1}, ["unknown"]),
])
def test_what_is_wrong_with_a_connection_is_named(shared, fields, location):
    answer = make(shared, **fields)
    assert_error(answer, 422, "invalid_connection")
    assert answer.json["error"]["type"] == "ValidationError"
    assert answer.json["error"]["details"]["validation_errors"][0]["location"] == ["body", *location], answer


@pytest.mark.parametrize("fields", [
    {"name": "n" * 200},
    {"description": "d" * 1000},
    {"metadata": {"m": "m" * (16 * 1024 - 8)}},
    {"provider_config": {"tolerance": 1}},
    {"provider_config": {"tolerance": 86400}},
    {"provider_config": {"webhook_secret": "s" * 512}},
    {"provider_config": {"webhook_secrets": ["a secret 1", "a secret 2", "a secret 3", "a secret 4"]}},
    {"provider_config": {"access_token_id": "x", "access_token_secret": "y"}, "test_before_save": True},
])
def test_limits_of_a_connection_may_be_reached(shared, fields):
    assert make(shared, **fields).status == 201


def test_access_tokens_are_not_kept(shared):
    made = make(shared, provider_config={"access_token_id": "an id", "access_token_secret": "a token"})
    assert "access_token_id" not in made.json["provider_config"]


def test_the_configuration_has_at_most_64_kib(server):
    def rules(n):
        return {"provider_config": {"mappings": [
            {"action": "upsert", "event": "x", "index": "i", "id": "a",
             "fields": {f"{'f' * 390}{i}": "p" * 399 for i in range(n)}}]}}
    assert make(server, **rules(80)).status == 201
    assert_error(make(server, **rules(90)), 422, "invalid_connection")


def test_the_provider_of_a_connection_stays(server):
    mux = Connection(server, "mux")
    answer = server.patch(f"{CONNECTIONS}/{mux.id}", {"provider_type": "github"})
    assert_error(answer, 422, "invalid_connection")
    assert server.patch(f"{CONNECTIONS}/{mux.id}", {"provider_type": "mux"}).status == 200


def test_who_lets_a_provider_write_needs_the_right_to_write(start_server):
    server = start_server("--master-key", "a master key of a test", *LOOPBACK)
    master = {"Authorization": "Bearer a master key of a test"}

    def key(*actions):
        made = server.post("/keys", {"actions": actions, "indexes": ["*"], "expiresAt": None}, headers=master)
        return {"Authorization": f"Bearer {made.json['key']}"}

    def attempt(headers, **config):
        return server.post(CONNECTIONS, {"name": "n", "provider_type": "mux", "provider_config": config}, headers=headers)

    hooks = key("webhooks.create", "webhooks.update")
    assert attempt(hooks).status == 201
    assert_error(attempt(hooks, index="videos"), 403, "invalid_api_key")
    path = f"{CONNECTIONS}/{attempt(hooks).json['connection_id']}"
    assert_error(server.patch(path, {"provider_config": {"index": "videos"}}, headers=hooks), 403, "invalid_api_key")
    assert server.patch(path, {"name": "x"}, headers=hooks).status == 200
    assert attempt(key("webhooks.create", "documents.delete"), index="videos").status == 201
    assert_error(attempt(key("webhooks.create", "documents.delete"), index="videos", fields={"a": "b"}), 403,
                 "invalid_api_key")
    assert_error(attempt(key("documents.*"), index="videos"), 403, "invalid_api_key")


@pytest.mark.parametrize("body, status", [(b"{", 400), (b"[]", 422), (b"", 400)])
def test_a_body_that_is_no_object_is_refused(shared, body, status):
    assert shared.post(CONNECTIONS, body, headers={"Content-Type": "application/json"}).status == status


def test_at_most_1000_connections_are_stored(server):
    peer = server.connect()
    for n in range(1001):
        peer.request("POST", CONNECTIONS, json.dumps({"name": "n", "provider_type": "mux", "provider_config": {}}),
                     {"Content-Type": "application/json"})
        answer = peer.getresponse()
        said = json.loads(answer.read())
        assert answer.status == (201 if n < 1000 else 429), said
    assert said["error"]["details"]["code"] == "too_many_provider_connections"
    listed = server.get(f"{CONNECTIONS}?limit=1000")
    assert len(listed.json["results"]) == listed.json["total"] == 1000
    assert server.delete(f"{CONNECTIONS}/{listed.json['results'][0]['connection_id']}").status == 204
    assert make(server).status == 201


# --- openapi, and the README's lines


def test_the_api_says_what_it_takes(shared):
    paths = shared.get("/openapi.json").json["paths"]
    assert paths["/v1/webhooks/{provider}/{connectionId}"]["post"]["security"] == []
    assert set(paths[CONNECTIONS + "/{connectionId}"]) == {"get", "put", "patch", "delete"}
    assert "provider_config" in paths[CONNECTIONS]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not installed")
def test_the_lines_of_the_readme_work(server, tmp_path):
    section = README.read_text().split("\n### Inbound webhooks\n")[1].split("\n### ")[0]
    script = "\n".join(re.findall(r"```bash\n(.*?)```", section, re.S)).replace("http://localhost:7700", server.url)
    add_videos(server, {"id": "asset_01"}, {"id": "asset_02"})
    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True,
                           timeout=60)
    assert ended.returncode == 0, ended.stderr
    said = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"handled"')]
    assert said[0]["handled"] is True and said[1]["duplicate"] is True
    server.wait_task(said[0]["task_uid"])
    assert [d["id"] for d in server.documents("videos")] == ["asset_02"]
