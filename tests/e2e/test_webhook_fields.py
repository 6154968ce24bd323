"""What a webhook chooses beyond URL and headers, over the API: shown, stored, changed, reset, refused, hidden."""
import base64
import re

import pytest

from conftest import LOOPBACK, make_certificate, run_binary, wait_until

GIVEN = {
    "events": ["batch.finished", "webhook.failing"],
    "indexUids": ["movies", "log-*"],
    "types": ["documentAdditionOrUpdate", "indexCreation"],
    "statuses": ["failed"],
    "wait": False,
    "timeoutMs": 1500,
    "ordered": True,
    "maxInFlight": 2,
    "rateLimit": 50,
    "retrySchedule": [0.5, 10, 3600],
    "format": "cloudevents",
    "compression": "gzip",
    "description": "for the warehouse",
    "isActive": False,
}
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def error(answer):
    body = answer.json
    return answer.status, body["code"], body["message"]


def make(server, **fields):
    answer = server.post("/webhooks", {"url": "https://example.com", **fields})
    assert answer.status == 201, answer
    return answer.json


def test_every_field_is_shown_as_given_and_survives_a_restart(start_server):
    server = start_server()
    made = make(server, **GIVEN)
    assert {name: made[name] for name in GIVEN} == GIVEN
    assert list(made)[:4] == ["uuid", "isEditable", "url", "headers"]
    assert server.stop() == 0
    assert start_server().get(f"/webhooks/{made['uuid']}").json == made


def test_a_webhook_without_any_keeps_four_keys(server):
    made = make(server, **{name: None for name in GIVEN}, secret=None, ca=None, clientCertificate=None)
    assert list(made) == ["uuid", "isEditable", "url", "headers"]


def test_only_the_fields_that_were_set_are_shown(server):
    assert list(make(server, timeoutMs=5))[4:] == ["timeoutMs"]


def test_patch_changes_one_field_and_null_resets_it(server):
    made = make(server, **GIVEN)
    path = f"/webhooks/{made['uuid']}"
    assert server.patch(path, {"rateLimit": 7}).json == {**made, "rateLimit": 7}
    shorter = {name: value for name, value in made.items() if name != "rateLimit"}
    assert server.patch(path, {"rateLimit": None}).json == shorter
    assert server.get(path).json == shorter
    plain = server.patch(path, {name: None for name in GIVEN}).json
    assert list(plain) == ["uuid", "isEditable", "url", "headers"]


def test_what_get_shows_can_be_patched_back(server):
    made = make(server, **GIVEN, secret=["generate", "generate:ed25519"], headers={"Authorization": "Bearer 0123456789"})
    path = f"/webhooks/{made['uuid']}"
    shown = server.get(path).json
    back = {name: value for name, value in shown.items() if name not in ("uuid", "isEditable")}
    assert server.patch(path, back).json == shown


@pytest.mark.parametrize("field, value, code, message", [
    ("timeoutMs", 30001, "invalid_webhook_timeout_ms",
     "Invalid value at `.timeoutMs`: value: `30001` is too large to be deserialized, maximum value authorized is `30000`"),
    ("types", ["nope"], "invalid_webhook_types",
     "Invalid value at `.types[0]`: `nope` is not a valid task type. Available types are `documentAdditionOrUpdate`, "),
    ("statuses", ["enqueued"], "invalid_webhook_statuses",
     "Invalid value at `.statuses[0]`: `enqueued` is not the status of a finished task. "
     "Available statuses are `succeeded`, `failed`, `canceled`."),
    ("format", "ndjsn", "invalid_webhook_format",
     "Unknown value `ndjsn` at `.format`: did you mean `ndjson`? expected one of `ndjson`, `json`, `cloudevents`"),
    ("isActive", "no", "invalid_webhook_is_active",
     "Invalid value type at `.isActive`: expected a boolean, but found a string: `\"no\"`"),
    ("retryShedule", [], "bad_request", "Unknown field `retryShedule`: did you mean `retrySchedule`? expected one of `url`, "),
])
def test_a_bad_value_is_refused_with_the_fields_code(server, field, value, code, message):
    answer = server.post("/webhooks", {"url": "https://example.com", field: value})
    assert error(answer)[:2] == (400, code)
    assert error(answer)[2].startswith(message)
    assert answer.json["link"].endswith(f"#{code}")
    assert server.get("/webhooks").json == {"results": []}


def test_every_task_type_is_accepted(server):
    answer = server.post("/webhooks", {"url": "https://example.com", "types": ["x"]})
    names = re.findall(r"`(\w+)`", answer.json["message"])[1:]
    assert len(names) >= 18
    assert make(server, types=names)["types"] == names


def test_a_disabled_webhook_shows_it_and_why_until_it_is_enabled(server, receiver):
    receiver.script = [410, 200]
    made = server.post("/webhooks", {"url": receiver.url}).json
    path = f"/webhooks/{made['uuid']}"
    server.done(server.post("/indexes/movies/documents", [{"id": 1}]))
    receiver.next()
    wait_until(lambda: server.get(path).json != made)
    assert server.get(path).json == {**made, "isActive": False, "disabledReason": "gone"}
    assert server.patch(path, {"disabledReason": None}).json["code"] == "immutable_webhook_disabled_reason"
    assert server.patch(path, {"isActive": True}).json == {**made, "isActive": True}
    assert receiver.next().tasks[0]["indexUid"] == "movies"


# --- what must not be shown


def test_a_given_secret_is_never_shown(start_server):
    server = start_server()
    made = make(server, secret=SECRET)
    assert made["secret"] == "whsec_XXX..."
    assert SECRET not in str(server.get("/webhooks").body) + server.log()


def test_a_generated_secret_is_shown_once(server):
    made = make(server, secret="generate")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert server.get(f"/webhooks/{made['uuid']}").json["secret"] == "whsec_XXX..."
    again = server.patch(f"/webhooks/{made['uuid']}", {"secret": "generate"}).json["secret"]
    assert again.startswith("whsec_") and again not in (made["secret"], "whsec_XXX...")


def test_an_ed25519_secret_is_shown_as_its_public_key(server):
    made = make(server, secret="generate:ed25519")
    assert len(base64.b64decode(made["secret"].removeprefix("whpk_"), validate=True)) == 32
    assert server.get(f"/webhooks/{made['uuid']}").json == made


@pytest.mark.parametrize("secret", ["hunter2", "whsec_short", "whsec_" + "A" * 88 + "AAAA", "whsk_AAAA"])
def test_a_bad_secret_is_refused_without_repeating_it(server, secret):
    answer = server.post("/webhooks", {"url": "https://example.com", "secret": secret})
    assert error(answer)[:2] == (400, "invalid_webhook_secret")
    assert secret not in answer.json["message"]


@pytest.fixture
def pems(tmp_path):
    """(certificate, its key, a key of somebody else)"""
    cert, key = make_certificate(tmp_path, "client")
    return cert.read_text(), key.read_text(), make_certificate(tmp_path, "other")[1].read_text()


def test_the_private_key_of_a_client_certificate_is_never_shown(server, pems):
    cert, key, _ = pems
    made = make(server, clientCertificate=cert + key)
    assert made["clientCertificate"] == cert
    assert "PRIVATE" not in str(server.get("/webhooks").body)


def test_a_client_certificate_sent_back_without_its_key_keeps_it(server, pems):
    cert, key, _ = pems
    made = make(server, clientCertificate=key + cert)
    path = f"/webhooks/{made['uuid']}"
    assert server.patch(path, {"clientCertificate": made["clientCertificate"], "wait": False}).status == 200
    assert server.patch(path, {"clientCertificate": cert + cert}).json["code"] == "invalid_webhook_client_certificate"


def test_a_client_certificate_needs_its_own_key(server, pems):
    cert, _, other_key = pems
    answer = server.post("/webhooks", {"url": "https://example.com", "clientCertificate": cert + other_key})
    assert error(answer) == (400, "invalid_webhook_client_certificate",
                             "Invalid value at `.clientCertificate`: the private key does not belong to the first certificate")


def test_authorities_are_shown(server, pems):
    assert make(server, ca=pems[0])["ca"] == pems[0]


# --- the command line's webhook


def test_the_webhook_of_the_command_line_has_the_same_fields(start_server, tmp_path, pems):
    (tmp_path / "ca.pem").write_text(pems[0])
    (tmp_path / "client.pem").write_text(pems[0] + pems[1])
    server = start_server(
        "--task-webhook-url", "https://example.com/", "--task-webhook-events", "batch.finished,webhook.failing",
        "--task-webhook-index-uids", "movies, log-*", "--task-webhook-types", "documentAdditionOrUpdate,indexCreation",
        "--task-webhook-statuses", "failed", "--task-webhook-wait", "false", "--task-webhook-timeout-ms", "1500",
        "--task-webhook-ordered", "true", "--task-webhook-max-in-flight", "2", "--task-webhook-rate-limit", "50",
        "--task-webhook-retry-schedule", "500ms,10s,1h", "--task-webhook-format", "cloudevents",
        "--task-webhook-compression", "gzip", "--task-webhook-description", "for the warehouse",
        "--task-webhook-is-active", "false", "--task-webhook-ca-path", tmp_path / "ca.pem",
        "--task-webhook-client-certificate-path", tmp_path / "client.pem", env={"TASKHOOK_TASK_WEBHOOK_SECRET": SECRET})
    shown, = server.get("/webhooks").json["results"]
    assert {name: shown[name] for name in GIVEN} == GIVEN
    assert shown["secret"] == "whsec_XXX..."
    assert (shown["ca"] + "\n", shown["clientCertificate"]) == (pems[0], pems[0])
    assert SECRET not in server.log()


@pytest.mark.parametrize("flag, value, why", [
    ("--task-webhook-format", "xml", "Unknown value `xml` at `.format`: expected one of `ndjson`, `json`, `cloudevents`"),
    ("--task-webhook-timeout-ms", "0", "Invalid value at `.timeoutMs`: value: `0` is too small to be deserialized"),
    ("--task-webhook-rate-limit", "fast", "expected a positive integer, but found a string: `\"fast\"`"),
    ("--task-webhook-retry-schedule", "5s,soon", "`soon`: expected a duration such as"),
    ("--task-webhook-wait", "perhaps", "[possible values: true, false]"),
    ("--task-webhook-ca-path", "missing.pem", "the file `missing.pem` cannot be read: No such file or directory"),
])
def test_a_bad_flag_ends_the_start_with_2(tmp_path, flag, value, why):
    ended = run_binary(tmp_path, "--task-webhook-url", "https://example.com/", flag, value)
    assert ended.returncode == 2
    assert f"invalid value '{value}' for '{flag}" in ended.stderr
    assert why in ended.stderr


def test_a_bad_secret_flag_is_not_repeated(tmp_path):
    ended = run_binary(tmp_path, "--task-webhook-url", "https://example.com/", "--task-webhook-secret", "hunter2")
    assert ended.returncode == 2
    assert "'--task-webhook-secret" in ended.stderr and "hunter2" not in ended.stderr


# --- --webhook-require-https


def test_required_https_refuses_plain_urls(start_server):
    server = start_server("--webhook-require-https", *LOOPBACK)
    answer = server.post("/webhooks", {"url": "http://8.8.8.8/"})
    assert error(answer)[:2] == (400, "invalid_webhook_url")
    assert "--webhook-require-https" in error(answer)[2]
    assert server.post("/webhooks", {"url": "https://8.8.8.8/"}).status == 201


def test_required_https_lets_plain_http_into_the_allowed_networks(start_server, receiver):
    server = start_server("--webhook-require-https", *LOOPBACK)
    assert server.post("/webhooks", {"url": receiver.url}).status == 201
    server.done(server.post("/indexes/movies/documents", [{"id": 1}]))
    assert receiver.next().tasks[0]["indexUid"] == "movies"


def test_required_https_judges_a_name_when_it_is_called(start_server, receiver):
    server = start_server("--webhook-require-https", "--experimental-allowed-ip-networks", "10.0.0.0/8")
    made = server.post("/webhooks", {"url": f"http://localhost:{receiver.port}/"})
    assert made.status == 201  # a name says nothing of its addresses
    server.done(server.post("/indexes/movies/documents", [{"id": 1}]))
    server.wait_log("address_denied")
    assert receiver.requests == []
