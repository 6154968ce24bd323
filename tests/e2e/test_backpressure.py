"""What receivers can ask of the sender, and that one of them costs the others and the queue nothing."""
import email.utils
import time

from conftest import LOOPBACK, wait_until

EACH_ALONE = ("--experimental-max-number-of-batched-tasks", "1")  # a batch, and so an event, for every task


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def add(server, n, first=0):
    """Tasks that are batches of their own; the last one has finished."""
    answers = [server.post("/indexes/movies/documents", {"id": number}) for number in range(first, first + n)]
    server.done(answers[-1])
    return [answer.json["taskUid"] for answer in answers]


def test_hanging_webhooks_cost_the_queue_one_deadline_and_the_healthy_one_nothing(start_server, make_receiver):
    server = start_server(*LOOPBACK, *EACH_ALONE)
    hanging, healthy = make_receiver(), make_receiver()
    hanging.script = ["hang"]
    for _ in range(18):
        register(server, hanging, timeoutMs=1000)
    register(server, healthy)
    began = time.monotonic()
    uids = add(server, 30)
    took = time.monotonic() - began
    healthy.wait_for_tasks(uids)
    assert 0.9 < took < 10, took  # one deadline; thirty of them would be 30 s
    assert len(healthy.requests) == 30


def test_retry_after_in_seconds_is_obeyed_for_the_whole_webhook(start_server, receiver):
    receiver.script = [(429, {"Retry-After": "2"}, b""), 200]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK, *EACH_ALONE)
    add(server, 1)
    receiver.next()
    asked = time.monotonic()
    add(server, 3, first=1)
    receiver.next()
    assert time.monotonic() - asked >= 1.9
    receiver.wait_for_tasks([0, 1, 2, 3])


def test_retry_after_as_a_date_is_obeyed_over_a_crash(start_server, receiver):
    receiver.script = [(503, {"Retry-After": email.utils.formatdate(time.time() + 4, usegmt=True)}, b""), 200]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    server.post("/indexes/movies/documents", {"id": 1})
    receiver.next()
    server.wait_log("While sending data to the webhook")
    asked = time.time()
    server.kill()
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    add(server, 1)
    receiver.next()
    assert time.time() - asked >= 2.5  # the date has whole seconds
    receiver.wait_for_tasks([0, 1])


def test_410_disables_what_get_shows_and_a_patch_enables_again(start_server, receiver):
    receiver.script = [410, 200]
    server = start_server(*LOOPBACK)
    uuid = register(server, receiver)
    add(server, 1)
    server.wait_log("this webhook is disabled.*reason=gone")
    shown = server.get(f"/webhooks/{uuid}").json
    assert shown["isActive"] is False and shown["disabledReason"] == "gone"
    add(server, 2, first=1)
    assert len(receiver.requests) == 1
    assert server.patch(f"/webhooks/{uuid}", {"isActive": True}).status == 200
    receiver.wait_for_tasks([1, 2])
    assert "disabledReason" not in server.get(f"/webhooks/{uuid}").json


def test_a_webhook_that_was_enabled_by_hand_is_told_to_have_recovered_when_it_works(start_server, make_receiver):
    gone, watcher = make_receiver(), make_receiver()
    gone.script = [410, 500, 200]
    server = start_server(*LOOPBACK, *EACH_ALONE)
    uuid = register(server, gone, retrySchedule=[0.1])
    register(server, watcher, events=["webhook.disabled", "webhook.recovered"], format="json")
    add(server, 2)
    assert watcher.next().tasks[0]["type"] == "webhook.disabled"
    assert server.patch(f"/webhooks/{uuid}", {"isActive": True}).status == 200
    told = watcher.next().tasks[0]
    assert told["type"] == "webhook.recovered" and told["data"]["webhook"] == uuid
    assert len(gone.requests) >= 3  # not before a success


def test_what_get_shows_of_a_disabled_webhook_changes_nothing_when_put_back(start_server, receiver):
    receiver.script = [410, 200]
    server = start_server(*LOOPBACK)
    uuid = register(server, receiver)
    add(server, 1)
    server.wait_log("this webhook is disabled.*reason=gone")
    shown = server.get(f"/webhooks/{uuid}").json
    answer = server.patch(f"/webhooks/{uuid}", {"url": shown["url"], "isActive": False})
    assert answer.status == 200 and answer.json == shown
    assert server.patch(f"/webhooks/{uuid}", {"isActive": True}).json == {
        **{key: shown[key] for key in ("uuid", "isEditable", "url", "headers")}, "isActive": True}
    assert server.patch(f"/webhooks/{uuid}", {"isActive": False}).json["isActive"] is False
    assert "disabledReason" not in server.get(f"/webhooks/{uuid}").json  # switched off, which is something else


def test_a_restart_neither_bursts_nor_resets(start_server, make_receiver):
    flags = (*LOOPBACK, *EACH_ALONE)
    narrow, slow, failing, other = (make_receiver() for _ in range(4))
    narrow.script, failing.script = ["hold"], [500]
    server = start_server(*flags)
    hooks = [register(server, narrow, wait=False, maxInFlight=3), register(server, slow, wait=False, rateLimit=2),
             register(server, failing, wait=False, retrySchedule=[3600] * 3)]
    narrow_uuid, slow_uuid, failing_uuid = hooks
    add(server, 30)
    wait_until(lambda: len(narrow.requests) == 3, "three in flight", server.process)

    def times(uuid):
        found = server.get(f"/webhooks/{uuid}/deliveries?state=owed&limit=100").json["results"]
        return {d["id"]: d["nextAttemptAt"] for d in found if d["attemptCount"] > 0}
    wait_until(lambda: len(times(failing_uuid)) >= 2, "failed attempts", server.process)
    server.kill()
    failing.script = ["hold"]
    n_failed, n_slow = len(failing.requests), len(slow.requests)
    began = time.monotonic()
    server = start_server(*flags)
    waiting = times(failing_uuid)
    wait_until(lambda: len(narrow.requests) == 6, "three again", server.process)
    wait_until(lambda: len(failing.requests) == n_failed + 1, "the probe", server.process)
    with slow.changed:
        assert slow.changed.wait_for(lambda: len(slow.requests) >= n_slow + 4, 30)
    assert time.monotonic() - began >= 1.3  # two a second: the fourth comes 1.5 s after the first
    register(server, other)
    server.done(server.post("/indexes/movies/documents", {"id": 99}))
    other.next()
    assert len(narrow.requests) == 6 and len(failing.requests) == n_failed + 1
    assert len(waiting) >= 2 and waiting.items() <= times(failing_uuid).items()
    assert server.get(f"/webhooks/{narrow_uuid}/deliveries?state=owed&limit=1").json["total"] == 31
    for receiver in (narrow, failing):
        receiver.script = [200]
        receiver.release()
    narrow.wait_for_tasks(range(31))


def test_the_receiver_ends_one_delivery_or_all_with_a_header(start_server, receiver):
    receiver.script = [(500, {"webhook-delivery": "abort-message"}, b""), (200, {"webhook-delivery": "disable"}, b""), 200]
    server = start_server(*LOOPBACK)
    register(server, receiver)
    add(server, 1)
    server.wait_log("a delivery is given up")
    add(server, 1, first=1)
    server.wait_log("this webhook is disabled.*reason=asked")
    add(server, 1, first=2)
    assert [task["uid"] for request in receiver.requests for task in request.tasks] == [0, 1]


def test_a_receiver_that_comes_back_gets_the_whole_backlog(start_server, receiver):
    receiver.script = [503, 503, 200]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK, *EACH_ALONE)
    uids = add(server, 60)
    receiver.wait_for_tasks(uids)
    wait_until(lambda: len(receiver.requests) == 62, "two probes that failed are sent again", server.process)


def test_the_rate_limit_changes_at_run_time(start_server, receiver):
    server = start_server(*LOOPBACK, *EACH_ALONE)
    uuid = register(server, receiver, rateLimit=1)
    add(server, 20)
    assert len(receiver.requests) < 15
    assert server.patch(f"/webhooks/{uuid}", {"rateLimit": None}).status == 200
    receiver.wait_for_tasks(range(20))


def test_the_own_schedule_of_a_webhook_ends_with_an_event_for_subscribers(start_server, make_receiver):
    failing, watcher = make_receiver(), make_receiver()
    failing.script = [500]
    server = start_server(*LOOPBACK)
    uuid = register(server, failing, retrySchedule=[0.1, 0.2])
    register(server, watcher, events=["webhook.exhausted"])
    add(server, 1)
    told = watcher.next().body
    assert uuid.encode() in told and b'"attempts":3' in told
    assert len(failing.requests) == 3


def test_what_a_disabled_webhook_is_not_owed_any_more_is_shown_and_told(start_server, make_receiver):
    disabled, watcher = make_receiver(), make_receiver()
    flags = (*LOOPBACK, *EACH_ALONE, "--webhook-disabled-retention", "1s")
    server = start_server(*flags)
    uuid = register(server, disabled, isActive=False)
    register(server, watcher, events=["webhook.expired"], format="json")
    add(server, 3)
    kept = server.get(f"/webhooks/{uuid}/deliveries?limit=1").json["results"][0]["createdAt"]
    server.stop()
    wait_until(lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 1.5)) > kept, "the second passes")
    server = start_server(*flags)
    told = watcher.next()
    assert told.tasks[0]["type"] == "webhook.expired", told.body
    assert told.tasks[0]["data"] == {"webhook": uuid, "url": disabled.url, "deliveries": 3, "firstSequence": 1,
                                     "lastSequence": 3}
    assert server.get(f"/webhooks/{uuid}/deliveries?state=expired").json["total"] == 3
    server.wait_log("they are expired.*deliveries=3")
    assert disabled.requests == []
