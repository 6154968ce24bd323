"""The channels of organisations' webhooks, end to end: a webhook with a template, Slack, email through a real SMTP server,
and SMS in the shape of Twilio's API."""
import base64
import email
import email.policy
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.parse

import pytest

from conftest import DEADLINE_S, LOOPBACK, make_certificate, server_tls, wait_until

HOOKS = "/v1/organizations/webhooks"
SINK = pathlib.Path(__file__).with_name("smtp_sink.py")
EVENT = {"event_type": "alert.triggered", "namespace_id": "shop", "subject": {"type": "alert", "id": "a1"},
         "metadata": {"level": 3, "names": ["Zoë", "Bob"], "html": "<b>&"}}
FROM = ("--smtp-from", "Hooks <hooks@example.com>")
SMS = ("--sms-account-sid", "AC123", "--sms-from", "+15550000")


def register(server, *channels, events=("*",)):
    answer = server.post(HOOKS, {"webhook_name": "mine", "event_types": list(events), "channels": list(channels)})
    assert answer.status == 201, answer
    return answer.json["webhook_id"]


def publish(server, **fields):
    """An event, as another engine publishes one."""
    answer = server.post("/v1/events", {**EVENT, **fields})
    assert answer.status in (200, 201, 202), answer
    return answer.json


def deliveries(server, hook):
    answer = server.get(f"{HOOKS}/{hook}/deliveries")
    assert answer.status == 200, answer
    return answer.json["results"]


def delivery(server, hook, state):
    """The one delivery of the webhook, once it has that state, with its attempts."""
    def found():
        return [d for d in deliveries(server, hook) if d["state"] == state]
    wait_until(found, lambda: f"{deliveries(server, hook)}\n{server.log()}", server.process)
    [one] = found()
    return server.get(f"/deliveries/{one['id']}").json


def refused(server, channel, field, words):
    """Registration answers 422 and names the field."""
    answer = server.post(HOOKS, {"webhook_name": "mine", "event_types": ["*"], "channels": [channel]})
    assert answer.status == 422, answer
    [error] = answer.json["error"]["details"]["validation_errors"]
    location = ".".join(str(part) for part in error["location"])
    assert location.endswith(field), error
    assert words in error["message"], error


# --- webhook


def test_a_webhook_channel_sends_the_event_and_its_headers(server, receiver):
    register(server, {"channel": "webhook", "configs": {"url": receiver.url, "headers": {"X-Mixpeek-Secret": "s3"}}})
    event_id = publish(server)["event_id"]
    arrived = receiver.next()
    assert arrived.headers["X-Mixpeek-Secret"] == "s3"
    assert arrived.headers["Content-Type"] == "application/json"
    body = json.loads(arrived.body)
    assert body["event_id"] == event_id and body["metadata"] == EVENT["metadata"]


def test_a_payload_template_makes_the_body_and_keeps_types(server, receiver):
    template = {"text": "{{ event_type | upper }} {{ subject.id }}: {{ metadata.names | join(', ') }}",
                "level": "{{ metadata.level }}", "names": "{{ metadata.names }}", "all": "{{ event }}", "n": 1.50,
                "missing": "{{ nope }}", "list": ["{% if metadata.level > 2 %}high{% else %}low{% endif %}", None]}
    register(server, {"channel": "webhook", "configs": {"url": receiver.url, "payload_template": template}})
    publish(server)
    body = json.loads(receiver.next().body)
    assert body.pop("all")["metadata"] == EVENT["metadata"]
    assert body == {"text": "ALERT.TRIGGERED a1: Zoë, Bob", "level": 3, "names": ["Zoë", "Bob"], "n": 1.5,
                    "missing": None, "list": ["high", None]}


def test_secrets_are_redacted_and_stay_when_they_are_sent_back(server, receiver):
    configs = {"url": receiver.url, "headers": {"X-Mixpeek-Secret": "0123456789abcdef", "Accept": "a/b"}, "method": "POST",
               "anything": {"else": [1]}}
    hook = register(server, {"channel": "webhook", "configs": configs})
    shown = server.get(f"{HOOKS}/{hook}").json
    assert shown["channels"][0]["configs"] == {**configs, "headers": {"X-Mixpeek-Secret": "01XXXX...", "Accept": "a/b"}}
    assert server.put(f"{HOOKS}/{hook}", {**shown, "webhook_name": "renamed"}).status == 200
    publish(server)
    assert receiver.next().headers["X-Mixpeek-Secret"] == "0123456789abcdef"


def test_a_template_that_fails_ends_its_delivery_and_says_where(server, receiver):
    hook = register(server, {"channel": "webhook", "configs": {"url": receiver.url,
                                                               "payload_template": {"x": "{{ metadata.level / 0 }}!"}}})
    publish(server)
    one = delivery(server, hook, "exhausted")
    [attempt] = one["attempts"]
    assert attempt["errorClass"] == "template"
    assert "at `.x`, line 1 column" in attempt["detail"] and "division by zero" in attempt["detail"]
    assert receiver.requests == []


def test_plain_http_needs_an_allowed_network(start_server):
    server = start_server()
    for kind, field in (("webhook", "url"), ("slack", "webhook_url")):
        refused(server, {"channel": kind, "configs": {field: "http://example.com/x"}}, f"configs.{field}", "must be https")


@pytest.mark.parametrize("channel, field, words", [
    ({"channel": "fax", "configs": {}}, "channels.0.channel", "expected one of"),
    ({"channel": "webhook"}, "channels.0", "`configs` is missing"),
    ({"channel": "webhook", "configs": {}}, "configs", "`url` is missing"),
    ({"channel": "webhook", "configs": {"url": "nope"}}, "configs.url", "nope"),
    ({"channel": "webhook", "configs": {"url": "ftp://x.example/"}}, "configs.url", "no http or https URL"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "timeout": 31}}, "configs.timeout", "31"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "timeout": "10"}}, "configs.timeout", "a number"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "headers": {"a b": "c"}}}, "configs.headers", "a b"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "headers": {"a": "b\nc"}}}, "configs.headers", "value"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "headers": {"a": "XXX..."}}}, "channels.0", "secrets"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "method": "PUT"}}, "configs.method", "PUT"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "payload_template": {"a": ["{{ b | uper }}"]}}},
     "configs.payload_template", "at `.a[0]`, line 1 column 8: there is no filter `uper`, did you mean `upper`?"),
    ({"channel": "webhook", "configs": {"url": "https://x.example/", "payload_template": "x"}}, "configs.payload_template",
     "an object"),
    ({"channel": "slack", "configs": {"bot_token": "xoxb-1", "channel_id": "C1"}}, "configs.bot_token", "`webhook_url`"),
    ({"channel": "slack", "configs": {"webhook_url": "https://x.example/", "blocks_template": "{% if %}"}},
     "configs.blocks_template", "line 1 column 7: expected an expression"),
    ({"channel": "email", "configs": {"to_addresses": ["a@b.c"]}}, "channel", "--smtp-url"),
    ({"channel": "sms", "configs": {"phone_numbers": ["+15550100"]}}, "channel", "--sms-account-sid"),
])
def test_what_a_channel_must_not_be(shared, channel, field, words):
    refused(shared, channel, field, words)


@pytest.mark.parametrize("channel, field, words", [
    ({"channel": "email", "configs": {"to_addresses": []}}, "configs.to_addresses", "at least one"),
    ({"channel": "email", "configs": {"to_addresses": "a@b.c"}}, "configs.to_addresses", "an array"),
    ({"channel": "email", "configs": {"to_addresses": ["a@b.c", "a@b\r\nBcc: x@y.z"]}}, "to_addresses[1]", "no email address"),
    ({"channel": "email", "configs": {"to_addresses": ["A <a@b.c>"]}}, "to_addresses[0]", "A <a@b.c>"),
    ({"channel": "email", "configs": {"recipients": ["a@b.c"]}}, "configs.recipients", "to_addresses"),
    ({"channel": "email", "configs": {"to_addresses": ["a@b.c"], "content_type": "htlm"}}, "content_type", "`html`"),
    ({"channel": "email", "configs": {"to_addresses": [f"a{i}@b.c" for i in range(51)]}}, "to_addresses[50]", "at most 50"),
    ({"channel": "sms", "configs": {"phone_numbers": ["555"]}}, "phone_numbers[0]", "E.164"),
    ({"channel": "sms", "configs": {"phone_numbers": ["+15550100"], "message_template": 5}}, "message_template", "a string"),
])
def test_what_recipients_must_not_be(start_server, channel, field, words):
    server = start_server("--smtp-url", "smtp://127.0.0.1:1", *FROM, *SMS, "--sms-auth-token", "t")
    answer = server.post(HOOKS, {"webhook_name": "mine", "event_types": ["*"], "channels": [channel]})
    assert answer.status == 422 and words in answer.json["error"]["message"], answer
    flat = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(p) for p in answer.json["error"]["details"]["validation_errors"][0]["location"]))
    assert flat.endswith(field), flat


# --- Slack


def slack(receiver, **configs):
    return {"channel": "slack", "configs": {"webhook_url": receiver.url + "/T0/B0/secretsecretsecret", **configs}}


SLACK_OK = (200, {"Content-Type": "text/html"}, b"ok")


def test_slack_gets_text_and_blocks(server, receiver):
    receiver.script = [SLACK_OK]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*{{ event_type }}* {{ metadata.names[0] }}"}}]
    hook = register(server, slack(receiver, channel="#ops", username="bot", icon_emoji=":bell:", blocks_template=blocks))
    publish(server)
    assert json.loads(receiver.next().body) == {
        "text": "*alert.triggered*: alert `a1` in `shop` (" + deliveries_time(receiver) + ")",
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*alert.triggered* Zoë"}}],
        "channel": "#ops", "username": "bot", "icon_emoji": ":bell:"}
    assert delivery(server, hook, "delivered")["attempts"][0]["status"] == 200
    assert server.get(f"{HOOKS}/{hook}").json["channels"][0]["configs"]["webhook_url"].endswith("/T0/B0/seXXXX...")


def test_slacks_url_is_in_no_log_and_in_no_event(server, receiver, make_receiver):
    listener = make_receiver()
    receiver.script = [(410, {}, b"channel_is_archived")]
    register(server, {"channel": "webhook", "configs": {"url": listener.url}}, events=["webhook.disabled"])
    hook = register(server, slack(receiver), events=["alert.triggered"])
    publish(server)
    assert json.loads(listener.next().body)["metadata"]["url"].endswith("/T0/B0/seXXXX...")
    delivery(server, hook, "exhausted")
    assert "/T0/B0/seXXXX..." in server.log()
    assert "secretsecret" not in server.log()


def test_a_shown_url_is_refused_in_another_place(server, receiver):
    hook = register(server, slack(receiver), {"channel": "webhook", "configs": {"url": receiver.url}})
    shown = server.get(f"{HOOKS}/{hook}").json
    answer = server.put(f"{HOOKS}/{hook}", {**shown, "channels": shown["channels"][::-1]})
    assert answer.status == 422 and "no such one was in this place" in answer.json["error"]["message"]
    assert server.get(f"{HOOKS}/{hook}").json == shown


def deliveries_time(receiver):
    return re.search(r"\(([^)]*)\)", json.loads(receiver.requests[0].body)["text"]).group(1)


def test_blocks_may_be_a_text_that_becomes_json(server, receiver):
    receiver.script = [SLACK_OK]
    register(server, slack(receiver, blocks_template='{"blocks": [{% for n in metadata.names %}{"type": "x", "n": {{ n|tojson }}}'
                                                     '{% if not loop.last %},{% endif %}{% endfor %}]}'))
    publish(server)
    assert json.loads(receiver.next().body)["blocks"] == [{"type": "x", "n": "Zoë"}, {"type": "x", "n": "Bob"}]


def test_blocks_that_are_no_json_end_the_delivery(server, receiver):
    hook = register(server, slack(receiver, blocks_template="[{{ event_type }}]"))
    publish(server)
    assert "no JSON array" in delivery(server, hook, "exhausted")["attempts"][0]["detail"]


@pytest.mark.parametrize("status, body, error_class", [
    (400, b"invalid_payload", "rejected"), (403, b"action_prohibited", "rejected"), (404, b"no_service", "rejected"),
    (302, b"", "rejected"), (200, b"not ok", "rejected"),
])
def test_what_slack_rejects_is_not_tried_again(server, receiver, status, body, error_class):
    receiver.script = [(status, {}, body)]
    hook = register(server, slack(receiver))
    publish(server)
    [attempt] = delivery(server, hook, "exhausted")["attempts"]
    assert (attempt["status"], attempt["errorClass"]) == (status, error_class)
    assert body.decode() in attempt["detail"]


@pytest.mark.parametrize("answer", [(429, {"Retry-After": "1"}, b"rate_limited"), (500, {}, b"rollup_error"), "reset"])
def test_slack_is_tried_again_when_it_is_not_the_message(server, receiver, answer):
    receiver.script = [answer, SLACK_OK]
    hook = register(server, slack(receiver))
    publish(server)
    one = delivery(server, hook, "delivered")
    assert len(one["attempts"]) == 2


def test_an_archived_slack_channel_is_disabled(server, receiver):
    receiver.script = [(410, {}, b"channel_is_archived")]
    hook = register(server, slack(receiver))
    publish(server)
    [attempt] = delivery(server, hook, "exhausted")["attempts"]
    assert attempt["errorClass"] == "gone"
    publish(server)
    wait_until(lambda: len(deliveries(server, hook)) == 2)
    assert len(receiver.requests) == 1
    server.wait_log("(?i)disabled")


# --- email


def python_with(module):
    """An interpreter that has it: this one, or the system's."""
    for python in (sys.executable, shutil.which("python3", path=os.defpath)):
        if python and subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return python
    pytest.fail(f"no python3 has {module}: subprojects/install-dependencies installs it")


class SmtpSink:
    """A relay; next() is a message that it took: the sink's object with `message` parsed."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([python_with("aiosmtpd"), "-B", SINK, *map(str, arguments)], stdout=subprocess.PIPE,
                                        text=True)
        self.port = int(self.process.stdout.readline())
        self.messages = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.messages.put(json.loads(line))

    def next(self):
        taken = self.messages.get(timeout=DEADLINE_S)
        taken["message"] = email.message_from_string(taken["data"], policy=email.policy.default)
        return taken

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


@pytest.fixture
def make_sink():
    sinks = []

    def make(*arguments):
        sinks.append(SmtpSink(*arguments))
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


@pytest.fixture
def secure_relay(make_sink, start_server, tmp_path):
    """(server, sink): a relay with STARTTLS and AUTH whose authority the server knows."""
    ca = make_certificate(tmp_path, "ca", host=None)
    certificate, key = make_certificate(tmp_path, ca=ca)
    sink = make_sink("--certificate", certificate, "--key", key, "--user", "me@x", "--password", "s3cr/t")
    server = start_server("--smtp-url", f"smtp://me%40x:s3cr%2Ft@localhost:{sink.port}", *FROM, *LOOPBACK,
                          "--webhook-ca-path", ca[0])
    return server, sink


def mail(*to, **configs):
    return {"channel": "email", "configs": {"to_addresses": list(to), **configs}}


def test_a_mail_goes_through_starttls_and_auth(secure_relay):
    server, sink = secure_relay
    hook = register(server, mail("ann@example.com", cc_addresses=["bob@example.com"], bcc_addresses=["eve@example.com"],
                                 subject_template="{{ metadata.names[0] }}: {{ event_type }}\r\nBcc: evil@example.com",
                                 body_template="<p>{{ metadata.html }}</p>\n.\n{{ metadata.names | join(' & ') }}"))
    event_id = publish(server)["event_id"]
    taken = sink.next()
    message = taken["message"]
    assert taken["from"] == "hooks@example.com" and taken["tls"] and taken["login"] == ["PLAIN", "me@x", "s3cr/t"]
    assert taken["to"] == ["ann@example.com", "bob@example.com", "eve@example.com"]
    assert (message["From"], message["To"], message["Cc"]) == ("Hooks <hooks@example.com>", "ann@example.com", "bob@example.com")
    assert message["Bcc"] is None and "eve@" not in taken["data"]
    assert message["Subject"] == "Zoë: alert.triggered  Bcc: evil@example.com"
    assert message["Auto-Submitted"] == "auto-generated" and message["Date"].datetime
    assert message["Message-ID"].startswith(f"<{event_id}") and message["Message-ID"].endswith("@example.com>")
    assert message.get_content_type() == "text/html"
    assert message.get_payload(decode=True).decode() == "<p>&lt;b&gt;&amp;</p>\r\n.\r\nZoë &amp; Bob\r\n"
    one = delivery(server, hook, "delivered")
    [attempt] = one["attempts"]
    assert (attempt["status"], attempt["outcome"], attempt["errorClass"]) == (250, "answered", None)
    assert attempt["address"] == "127.0.0.1" and attempt["timings"]["tlsUs"] > 0
    assert "s3cr" not in server.log() and "s3cr" not in json.dumps(one)


def test_smtps_is_tls_from_the_first_byte(make_sink, start_server, tmp_path):
    ca = make_certificate(tmp_path, "ca", host=None)
    certificate, key = make_certificate(tmp_path, ca=ca)
    sink = make_sink("--certificate", certificate, "--key", key, "--smtps", "--user", "u", "--password", "p",
                     "--without", "PLAIN")
    server = start_server("--smtp-url", f"smtps://u:p@127.0.0.1:{sink.port}", *FROM, *LOOPBACK, "--webhook-ca-path", ca[0])
    register(server, mail("ann@example.com"))
    publish(server)
    assert sink.next()["login"] == ["LOGIN", "u", "p"]


@pytest.fixture
def plain_relay(make_sink, start_server):
    """(server, sink): a relay without TLS in a network where that is allowed."""
    sink = make_sink()
    return start_server("--smtp-url", f"smtp://127.0.0.1:{sink.port}", "--smtp-from", "hooks@example.com",
                        "--smtp-plain-networks", "127.0.0.0/8"), sink


@pytest.mark.parametrize("content_type, media_type, body, expected", [
    ("plain_text", "text/plain", "{{ metadata.html }} ü", "<b>& ü\n"),
    ("html", "text/html", "{{ metadata.html }} ü", "&lt;b&gt;&amp; ü\n"),
    ("markdown", "text/markdown", "# {{ metadata.names[0] }}", "# Zoë\n"),
    ("json", "application/json", '{"n": {{ metadata.names | tojson }}}', {"n": ["Zoë", "Bob"]}),
    ("json", "application/json", None, "event"),
    ("plain_text", "text/plain", None, "namespace: shop"),
    (None, "text/html", None, "<td>&lt;b&gt;&amp;</td>"),
])
def test_content_types_of_mails(plain_relay, content_type, media_type, body, expected):
    server, sink = plain_relay
    configs = {"content_type": content_type, "body_template": body}
    register(server, mail("ann@example.com", **configs))
    event_id = publish(server)["event_id"]
    message = sink.next()["message"]
    assert message.get_content_type() == media_type and message["Subject"] == "alert.triggered: a1"
    assert message.get_content_charset() == "utf-8"
    content = message.get_payload(decode=True).decode()
    if content_type == "json":
        content = json.loads(content)
        assert content["event_id"] == event_id if expected == "event" else content == expected
    elif body is None:
        assert expected in content
    else:
        assert content.replace("\r\n", "\n") == expected


def test_a_long_text_of_many_languages_arrives_as_it_is(plain_relay):
    server, sink = plain_relay
    text = "Zoë, Ζωή, Зоя, 佐江\n" * 500
    register(server, mail("ann@example.com", content_type="plain_text", body_template="{{ metadata.text }}"))
    publish(server, metadata={"text": text})
    message = sink.next()["message"]
    assert message["Content-Transfer-Encoding"] == "base64"
    assert message.get_payload(decode=True).decode().replace("\r\n", "\n") == text


def test_without_tls_nothing_is_sent_where_it_is_not_allowed(make_sink, start_server):
    sink = make_sink("--user", "u", "--password", "p")
    server = start_server("--smtp-url", f"smtp://u:p@127.0.0.1:{sink.port}", *FROM, *LOOPBACK)
    hook = register(server, mail("ann@example.com"))
    publish(server)
    server.wait_log("does not offer STARTTLS")
    [one] = deliveries(server, hook)
    assert one["state"] == "owed" and one["lastOutcome"] == "tls"
    assert sink.messages.empty()


def test_a_relay_with_the_wrong_certificate_gets_nothing(make_sink, start_server, tmp_path):
    certificate, key = make_certificate(tmp_path)
    sink = make_sink("--certificate", certificate, "--key", key)
    server = start_server("--smtp-url", f"smtp://localhost:{sink.port}", *FROM, *LOOPBACK)
    register(server, mail("ann@example.com"))
    publish(server)
    server.wait_log("certificate verify failed")
    assert sink.messages.empty()


@pytest.mark.parametrize("arguments, scheme", [((), "smtp"), (("--smtps",), "smtps")])
def test_a_relay_with_a_certificate_for_another_host_gets_nothing(make_sink, start_server, tmp_path, arguments, scheme):
    ca = make_certificate(tmp_path, "ca", None)
    certificate, key = make_certificate(tmp_path, "relay", "DNS:other.example", ca)
    sink = make_sink("--certificate", certificate, "--key", key, *arguments)
    server = start_server("--smtp-url", f"{scheme}://user:a-password@localhost:{sink.port}", *FROM, *LOOPBACK,
                          "--webhook-ca-path", ca[0])
    register(server, mail("ann@example.com"))
    publish(server)
    server.wait_log("certificate verify failed.*(hostname|host name)")
    assert sink.messages.empty()
    assert "a-password" not in server.log()


def test_no_recipient_gets_a_mail_twice(plain_relay):
    server, sink = plain_relay
    hook = register(server, mail("ann@example.com", "later-bob@example.com", "refused-eve@example.com"))
    publish(server)
    first, second = sink.next(), sink.next()
    assert (first["to"], second["to"]) == (["ann@example.com"], ["later-bob@example.com"])
    assert first["message"]["Message-ID"] == second["message"]["Message-ID"]
    assert first["message"]["To"] == second["message"]["To"]
    one = delivery(server, hook, "exhausted")  # not everybody has it
    assert [a["errorClass"] for a in one["attempts"]] == ["deferred", "rejected"]
    assert {r["recipient"]: r["state"] for r in one["attempts"][-1]["recipients"]} == {
        "ann@example.com": "accepted", "later-bob@example.com": "accepted", "refused-eve@example.com": "given up"}
    assert sink.messages.empty()


def test_what_the_relay_takes_for_spam_is_not_tried_again(plain_relay):
    server, sink = plain_relay
    hook = register(server, mail("ann@example.com", subject_template="spam"))
    publish(server)
    [attempt] = delivery(server, hook, "exhausted")["attempts"]
    assert (attempt["status"], attempt["errorClass"]) == (554, "rejected")
    assert "looks like spam" in attempt["detail"] and "554" in attempt["responseBody"]


def test_a_login_that_is_refused_is_tried_again(make_sink, start_server, tmp_path):
    ca = make_certificate(tmp_path, "ca", host=None)
    certificate, key = make_certificate(tmp_path, ca=ca)
    sink = make_sink("--certificate", certificate, "--key", key, "--user", "u", "--password", "right")
    flags = (*FROM, *LOOPBACK, "--webhook-ca-path", ca[0])
    server = start_server("--smtp-url", f"smtp://u:wrong@localhost:{sink.port}", *flags)
    register(server, mail("ann@example.com"))
    publish(server)
    server.wait_log("the relay refused the login: 535")
    server.stop()
    start_server("--smtp-url", f"smtp://u:right@localhost:{sink.port}", *flags)
    assert sink.next()["to"] == ["ann@example.com"]


# --- SMS


@pytest.fixture
def texting(start_server, receiver):
    """(server, receiver): a service with Twilio's API."""
    receiver.script = [twilio()]
    return start_server("--sms-base-url", receiver.url, *SMS, *LOOPBACK, env={"TASKHOOK_SMS_AUTH_TOKEN": "tok:en"}), receiver


def twilio(status=201, **fields):
    body = {"sid": "SM1", "status": "queued", "error_code": None} if status == 201 else {"status": status, **fields}
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def sms(*numbers, **configs):
    return {"channel": "sms", "configs": {"phone_numbers": list(numbers), **configs}}


def form(request):
    return {k: v[0] for k, v in urllib.parse.parse_qs(request.body.decode(), strict_parsing=True).items()}


def test_each_number_gets_its_request(texting):
    server, receiver = texting
    hook = register(server, sms("+15550101", "+15550102", message_template="{{ metadata.names[0] }} & {{ metadata.level }}"))
    publish(server)
    requests = [receiver.next(), receiver.next()]
    assert [form(r) for r in requests] == [{"To": to, "From": "+15550000", "Body": "Zoë & 3"}
                                           for to in ("+15550101", "+15550102")]
    for r in requests:
        assert r.path == "/hook/2010-04-01/Accounts/AC123/Messages.json"
        assert r.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert base64.b64decode(r.headers["Authorization"].removeprefix("Basic ")) == b"AC123:tok:en"
    one = delivery(server, hook, "delivered")
    assert "+15550101: answered 201" in one["attempts"][0]["responseBody"]
    assert "tok:en" not in server.log() and "tok:en" not in json.dumps(one)


def test_a_message_is_cut_at_1600_characters(texting):
    server, receiver = texting
    register(server, sms("+15550101", message_template="{{ metadata.long }}"))
    publish(server, metadata={"long": "é" * 2000})
    assert form(receiver.next())["Body"] == "é" * 1599 + "…"


def test_a_number_that_is_refused_is_given_up_and_the_others_go_on(texting):
    server, receiver = texting
    receiver.script = [twilio(400, code=21211, message="Invalid 'To' Phone Number"), twilio()]
    hook = register(server, sms("+15550101", "+15550102"))
    publish(server)
    [attempt] = delivery(server, hook, "exhausted")["attempts"]
    assert (attempt["status"], attempt["errorClass"]) == (400, "rejected")
    assert "error 21211: Invalid 'To' Phone Number" in attempt["detail"]
    assert [(r["recipient"], r["state"]) for r in attempt["recipients"]] == [("+15550101", "given up"), ("+15550102", "accepted")]
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("answer, error_class", [(twilio(500), "server_error"), (twilio(429), "rate_limited"),
                                                 (twilio(401, code=20003), "rejected"), ("reset", "protocol")])
def test_what_may_have_been_sent_is_never_sent_again(texting, answer, error_class):
    server, receiver = texting
    receiver.script = [answer]
    hook = register(server, sms("+15550101"))
    publish(server)
    one = delivery(server, hook, "exhausted")
    assert [a["errorClass"] for a in one["attempts"]] == [error_class] and len(receiver.requests) == 1


def test_a_message_in_flight_at_a_stop_is_not_sent_again(start_server, receiver):
    receiver.script = [twilio(), "hang"]
    flags = ("--sms-base-url", receiver.url, *SMS, "--sms-auth-token", "t", *LOOPBACK)
    server = start_server(*flags)
    hook = register(server, sms("+15550101", "+15550102", "+15550103"))
    publish(server)
    receiver.next()
    receiver.next()
    assert server.stop() == 0
    receiver.script = [twilio()]
    server = start_server(*flags)
    one = delivery(server, hook, "exhausted")  # nobody knows of the second
    assert [form(r)["To"] for r in receiver.requests] == ["+15550101", "+15550102", "+15550103"]
    assert {r["recipient"]: r["state"] for r in one["attempts"][-1]["recipients"]} == {
        "+15550101": "accepted", "+15550102": "given up", "+15550103": "accepted"}


def test_a_service_that_cannot_be_reached_is_tried_once_more(start_server, receiver):
    receiver.close()
    server = start_server("--sms-base-url", receiver.url, *SMS, "--sms-auth-token", "t", *LOOPBACK)
    hook = register(server, sms("+15550101"))
    publish(server)
    one = delivery(server, hook, "exhausted")
    assert [a["outcome"] for a in one["attempts"]] == ["connect", "connect"]


def test_a_messaging_service_stands_for_a_number(start_server, receiver):
    receiver.script = [twilio()]
    server = start_server("--sms-base-url", receiver.url, "--sms-account-sid", "AC1", "--sms-auth-token", "t", "--sms-from",
                          "MG0123", *LOOPBACK)
    register(server, sms("+15550101"))
    publish(server)
    assert form(receiver.next())["MessagingServiceSid"] == "MG0123"


# --- all together


def test_channels_of_one_webhook_are_independent(make_sink, start_server, make_receiver):
    sink, hanging, good = make_sink(), make_receiver(), make_receiver()
    hanging.script, good.script = ["hang"], [SLACK_OK]
    server = start_server("--smtp-url", f"smtp://127.0.0.1:{sink.port}", *FROM, "--smtp-plain-networks", "127.0.0.1", *LOOPBACK)
    hook = register(server, {"channel": "webhook", "configs": {"url": hanging.url, "timeout": 0.5}}, slack(good),
                    mail("ann@example.com"), events=["collection.documents.written"])
    assert server.run("POST", "/indexes/movies/documents", [{"id": 1}, {"id": 2}])["status"] == "succeeded"
    assert "collection.documents.written" in json.loads(good.next().body)["text"]
    assert sink.next()["message"]["Subject"].startswith("collection.documents.written")
    states = sorted(d["state"] for d in deliveries(server, hook))
    assert len(states) == 3
    wait_until(lambda: sorted(d["state"] for d in deliveries(server, hook)) == ["delivered", "delivered", "owed"])


@pytest.mark.parametrize("flags, words", [
    (("--smtp-url", "http://relay", *FROM), "expected smtp:// or smtps://"),
    (("--smtp-url", "smtp://u:hunter2@relay"), "--smtp-from"),
    (("--smtp-url", "smtp://u@relay", *FROM), "a user needs a password"),
    (("--smtp-url", "smtp://relay", "--smtp-from", "nobody"), "hooks@example.com"),
    (("--smtp-plain-networks", "10.0.0.1/8"), "host bits"),
    (("--sms-account-sid", "AC1"), "--sms-auth-token"),
    (("--sms-account-sid", "AC1", "--sms-auth-token", "hunter2"), "--sms-from"),
    (("--sms-base-url", "ftp://x"), "expected http:// or https://"),
])
def test_options_of_channels_are_checked_at_the_start(tmp_path, flags, words):
    from conftest import run_binary
    ended = run_binary(tmp_path, "--db-path", tmp_path / "data", "--http-addr", "127.0.0.1:0", *flags)
    assert ended.returncode == 2 and words in ended.stderr and "hunter2" not in ended.stderr, ended.stderr
