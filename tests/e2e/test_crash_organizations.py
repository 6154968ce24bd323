"""SIGKILL under load at random moments, over organisations' webhooks: every event that was published and every one that
a batch makes reaches the receiver, under one id, also by mail; see organizations_model.py.
TASKHOOK_CRASH_ORGANIZATIONS_ROUNDS rounds (default 12) in lives of one data directory."""
import json
import os
import random

import pytest

from conftest import LOOPBACK, wait_until
from organizations_model import Editor, Listener, Organization, Publisher
from test_channels import SmtpSink
from test_crash import finished_tasks

ROUNDS = int(os.environ.get("TASKHOOK_CRASH_ORGANIZATIONS_ROUNDS", "12"))
SEED = 20260808
STEPS_MAX = 40
NOW = 0  # one moment is enough: a killed process acknowledges nothing more
PUBLISHED = ["cluster.completed", "alert.triggered"]


@pytest.fixture
def listener():
    receiver = Listener(lambda: NOW)
    yield receiver
    receiver.close()


@pytest.fixture
def sink():
    relay = SmtpSink()
    yield relay
    relay.close()


def kill_under_load(server, organization, rng):
    clients = [*(Editor(index, server, rng, lambda: NOW) for index in ("left", "right")),
               *(Publisher(f"p{n}", organization, server, rng, lambda: NOW) for n in range(2))]
    for client in clients:
        client.start()
    target = rng.randrange(1, STEPS_MAX)
    wait_until(lambda: sum(c.n_done for c in clients) >= target or any(c.failure for c in clients),
               server.log, server.process)
    failures = [c.failure for c in clients if c.failure]
    assert not failures, f"{failures}\n{server.log()}"
    server.kill()
    for client in clients:
        client.join()


def register_mail(server):
    configs = {"to_addresses": ["ann@example.com"], "content_type": "json", "subject_template": "{{ event_id }}",
               "body_template": "{{ event | tojson }}"}
    answer = server.post("/v1/organizations/webhooks", {
        "webhook_name": "by mail", "event_types": PUBLISHED, "channels": [{"channel": "email", "configs": configs}]})
    assert answer.status == 201, answer


def mails(sink, known):
    """{event_id: contents} of what has come."""
    while not sink.messages.empty():
        mail = sink.next()["message"]
        event = json.loads(mail.get_payload(decode=True))
        assert mail["Subject"] == event["event_id"]
        known.setdefault(event["event_id"], set()).add(json.dumps(event, sort_keys=True))
    return known


def test_events_of_organizations_survive_sigkill_at_any_moment(start_server, listener, sink):
    rng = random.Random(SEED)
    organization, known = Organization(listener), {}
    flags = ("--smtp-url", f"smtp://127.0.0.1:{sink.port}", "--smtp-from", "hooks@example.com",
             "--smtp-plain-networks", "127.0.0.1", *LOOPBACK)
    server = start_server(*flags)
    organization.register(server)
    register_mail(server)
    for number in range(ROUNDS):
        kill_under_load(server, organization, rng)
        server = start_server(*flags, "--checkpoint-commits", rng.choice([1, 5, 20, 512]))
        if number % 3 == 2:
            continue  # die again before anything is looked at
        finished_tasks(server)
        organization.check(server, NOW)
    story = organization.check(server, NOW)
    published = {e["event_id"] for e in story.events if e["event_type"] in PUBLISHED}
    wait_until(lambda: set(mails(sink, known)) >= published, lambda: f"{published - set(known)}\n{server.log()}", server.process)
    assert set(known) == published
    assert all(len(contents) == 1 for contents in known.values())
