"""Looking deliveries up, sending them again, discarding them, pings: every field and every error."""
import base64
import datetime

import pytest

from conftest import LOOPBACK, wait_until

UNKNOWN = "6b1dd2b0-9b5e-4b7c-8f0e-0b8f1a2c3d4e"


def register(server, receiver, **fields):
    answer = server.post("/webhooks", {"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.json["uuid"]


def add(server, n=1, index="movies"):
    """n batches of one task each."""
    for i in range(n):
        server.done(server.post(f"/indexes/{index}/documents", {"id": i}))


def deliveries(server, hook, query=""):
    answer = server.get(f"/webhooks/{hook}/deliveries{query}")
    assert answer.status == 200, answer
    return answer.json


def delivery(server, number):
    answer = server.get(f"/deliveries/{number}")
    assert answer.status == 200, answer
    return answer.json


def wait_state(server, number, state):
    wait_until(lambda: delivery(server, number)["state"] == state, lambda: str(delivery(server, number)))
    return delivery(server, number)


def newest(server, hook):
    return deliveries(server, hook, "?limit=1")["results"][0]


def error(answer):
    return answer.status, answer.json["code"], answer.json["message"]


# --- one delivery


def test_a_delivery_and_its_attempt_in_every_field(server, receiver):
    receiver.script = [(201, {"X-Seen": "yes"}, b"thanks, \xc3\xa9")]
    hook = register(server, receiver)
    add(server)
    request = receiver.next()
    shown = wait_state(server, newest(server, hook)["id"], "delivered")
    assert list(shown) == ["id", "webhookUuid", "eventId", "eventType", "batchUid", "tasks", "sequence", "state", "cause",
                           "part", "parts", "attemptCount", "lastOutcome", "lastStatus", "createdAt", "nextAttemptAt",
                           "finishedAt", "attempts"]
    assert shown["webhookUuid"] == hook
    assert shown["eventId"] == request.headers["webhook-id"]
    assert (shown["eventType"], shown["batchUid"], shown["tasks"]) == ("batch.finished", 0, 1)
    assert (shown["sequence"], shown["state"], shown["cause"]) == (1, "delivered", "event")
    assert (shown["part"], shown["parts"], shown["attemptCount"]) == (1, 1, 1)
    assert (shown["lastOutcome"], shown["lastStatus"], shown["nextAttemptAt"]) == ("answered", 201, None)
    assert shown["createdAt"] <= shown["finishedAt"]
    [attempt] = shown["attempts"]
    assert list(attempt) == ["number", "startedAt", "outcome", "errorClass", "status", "detail", "address", "timings",
                             "responseHeaders", "responseBody", "responseBodyIsBase64", "responseBodyIsTruncated"]
    assert (attempt["number"], attempt["outcome"], attempt["errorClass"]) == (1, "answered", None)
    assert (attempt["status"], attempt["address"]) == (201, "127.0.0.1")
    assert attempt["detail"] == "http status: 201"
    assert {"name": "X-Seen", "value": "yes"} in attempt["responseHeaders"]
    assert (attempt["responseBody"], attempt["responseBodyIsBase64"], attempt["responseBodyIsTruncated"]) == (
        "thanks, é", False, False)
    timings = attempt["timings"]
    assert list(timings) == ["dnsUs", "connectUs", "tlsUs", "firstByteUs", "totalUs"]
    assert timings["tlsUs"] is None
    assert 0 <= timings["connectUs"] <= timings["firstByteUs"] <= timings["totalUs"]


def test_a_delivery_that_is_owed_shows_its_failure_and_when_it_is_tried_again(server, receiver):
    receiver.script = [(503, {}, b"later")]
    hook = register(server, receiver)
    add(server)
    wait_until(lambda: newest(server, hook)["attemptCount"] == 1)
    shown = newest(server, hook)
    assert (shown["state"], shown["lastOutcome"], shown["lastStatus"], shown["finishedAt"]) == (
        "owed", "answered", 503, None)
    assert shown["nextAttemptAt"] > shown["createdAt"]
    assert "attempts" not in shown
    assert delivery(server, shown["id"])["attempts"][0]["errorClass"] == "unavailable"


@pytest.mark.parametrize("answer, error_class", [
    (302, "redirect"), (404, "client_error"), (410, "gone"), (429, "rate_limited"), (500, "server_error"),
    ("reset", "protocol")])
def test_the_class_of_an_error(server, receiver, answer, error_class):
    receiver.script = [answer]
    hook = register(server, receiver)
    add(server)
    wait_until(lambda: newest(server, hook)["attemptCount"] >= 1)
    attempt = delivery(server, newest(server, hook)["id"])["attempts"][0]
    assert attempt["errorClass"] == error_class
    assert attempt["status"] == (answer if isinstance(answer, int) else None)


def test_a_body_that_is_no_text_is_shown_in_base64(server, receiver):
    body = bytes(range(256))
    receiver.script = [(200, {}, body)]
    hook = register(server, receiver)
    add(server)
    shown = wait_state(server, newest(server, hook)["id"], "delivered")["attempts"][0]
    assert shown["responseBodyIsBase64"] is True
    assert base64.b64decode(shown["responseBody"]) == body


def test_no_more_than_sixteen_kib_of_a_body_are_kept_and_no_character_is_torn(server, receiver):
    receiver.script = [(200, {}, ("x" + "é" * 20000).encode())]
    hook = register(server, receiver)
    add(server)
    shown = wait_state(server, newest(server, hook)["id"], "delivered")["attempts"][0]
    assert shown["responseBodyIsTruncated"] is True and shown["responseBodyIsBase64"] is False
    assert shown["responseBody"] == "x" + "é" * 8191


def test_headers_that_come_twice_are_both_shown_and_bad_utf_8_does_no_harm(server, receiver):
    receiver.script = [(200, {"X-Odd": "caf\xe9"}, b"")]
    hook = register(server, receiver)
    add(server)
    shown = wait_state(server, newest(server, hook)["id"], "delivered")["attempts"][0]
    assert {"name": "X-Odd", "value": "caf\ufffd"} in shown["responseHeaders"]


@pytest.mark.parametrize("path, status, code", [
    ("/deliveries/77", 404, "delivery_not_found"), ("/deliveries/x", 400, "invalid_delivery_id"),
    ("/deliveries/-1", 400, "invalid_delivery_id"), ("/deliveries/99999999999999999999", 400, "invalid_delivery_id")])
def test_deliveries_that_do_not_exist(shared, path, status, code):
    for answer in (shared.get(path), shared.post(path + "/resend"), shared.delete(path)):
        assert error(answer)[:2] == (status, code)


# --- the listing


def test_the_newest_come_first_and_pages_follow_each_other(server, receiver):
    hook = register(server, receiver)
    add(server, 5)
    page = deliveries(server, hook, "?limit=2")
    assert list(page) == ["results", "total", "limit", "from", "next"]
    assert [d["sequence"] for d in page["results"]] == [5, 4]
    assert (page["total"], page["limit"], page["from"]) == (5, 2, page["results"][0]["id"])
    second = deliveries(server, hook, f"?limit=2&from={page['next']}")
    assert [d["sequence"] for d in second["results"]] == [3, 2]
    last = deliveries(server, hook, f"?limit=2&from={second['next']}")
    assert [d["sequence"] for d in last["results"]] == [1]
    assert (last["total"], last["next"]) == (5, None)


def test_reversed_the_oldest_come_first(server, receiver):
    hook = register(server, receiver)
    add(server, 3)
    page = deliveries(server, hook, "?limit=2&reverse=true")
    assert [d["sequence"] for d in page["results"]] == [1, 2]
    rest = deliveries(server, hook, f"?reverse=true&from={page['next']}")
    assert [d["sequence"] for d in rest["results"]] == [3]


def test_a_webhook_lists_its_own_deliveries_only(server, make_receiver):
    hooks = [register(server, make_receiver()) for _ in range(3)]
    add(server, 2)
    for hook in hooks:
        page = deliveries(server, hook)
        assert [d["sequence"] for d in page["results"]] == [2, 1]
        assert {d["webhookUuid"] for d in page["results"]} == {hook}


def test_an_empty_listing(server, receiver):
    hook = register(server, receiver)
    assert deliveries(server, hook) == {"results": [], "total": 0, "limit": 20, "from": None, "next": None}


def test_filters(server, receiver):
    receiver.script = [200, 500]
    hook = register(server, receiver)
    add(server, 2)
    wait_until(lambda: [d["attemptCount"] for d in deliveries(server, hook)["results"]] == [1, 1])
    second, first = deliveries(server, hook)["results"]

    def numbers(query):
        page = deliveries(server, hook, query)
        assert page["total"] == len(page["results"])
        return [d["sequence"] for d in page["results"]]
    assert numbers("?state=owed") == [2]
    assert numbers("?state=delivered") == [1]
    assert numbers("?state=owed,delivered") == [2, 1]
    assert numbers("?state=*") == [2, 1]
    assert numbers("?state=exhausted") == []
    assert numbers(f"?event={first['eventId']}") == [1]
    assert numbers(f"?event={UNKNOWN}") == []
    assert numbers(f"?since={second['createdAt']}") == [2]
    assert numbers(f"?until={second['createdAt']}") == [1]
    tomorrow = (datetime.date.today() + datetime.timedelta(days=2)).isoformat()
    assert numbers(f"?since={tomorrow}") == []
    assert numbers(f"?until={tomorrow}") == [2, 1]
    assert deliveries(server, hook, "?limit=0")["total"] == 2


@pytest.mark.parametrize("query, code, text", [
    ("limit=x", "invalid_delivery_limit", "Invalid value in parameter `limit`: could not parse `x` as a positive integer"),
    ("from=x", "invalid_delivery_from", "Invalid value in parameter `from`: could not parse `x` as a positive integer"),
    ("reverse=2", "invalid_delivery_reverse", "Invalid value in parameter `reverse`"),
    ("state=late", "invalid_delivery_state",
     "Invalid value in parameter `state`: `late` is not a valid delivery state. Available states are `owed`, "
     "`delivered`, `exhausted`, `discarded`, `expired`."),
    ("since=today", "invalid_delivery_since", "Invalid value in parameter `since`: `today` is an invalid date-time."),
    ("until=today", "invalid_delivery_until", "Invalid value in parameter `until`: `today` is an invalid date-time."),
    ("event=7", "invalid_delivery_event", "Invalid value in parameter `event`: Invalid UUID"),
    ("offset=1", "bad_request", "Unknown parameter `offset`: expected one of `limit`, `from`, `reverse`, `state`, "
     "`since`, `until`, `event`"),
])
def test_parameters_that_are_wrong(shared, receiver, query, code, text):
    hook = register(shared, receiver)
    answer = shared.get(f"/webhooks/{hook}/deliveries?{query}")
    assert error(answer)[:2] == (400, code)
    assert answer.json["message"].startswith(text)
    assert shared.delete(f"/webhooks/{hook}").status == 204


@pytest.mark.parametrize("uuid, status, code", [
    (UNKNOWN, 404, "webhook_not_found"), ("nonsense", 400, "invalid_webhook_uuid")])
def test_webhooks_that_do_not_exist(shared, uuid, status, code):
    assert error(shared.get(f"/webhooks/{uuid}/deliveries"))[:2] == (status, code)
    assert error(shared.post(f"/webhooks/{uuid}/ping"))[:2] == (status, code)
    answer = shared.post(f"/webhooks/{uuid}/replay", {"since": "2020-01-01"})
    assert error(answer)[:2] == (status, code)


def test_the_webhook_of_the_command_line_has_deliveries_too(hooked, receiver):
    add(hooked)
    receiver.next()
    nil = "00000000-0000-0000-0000-000000000000"
    assert deliveries(hooked, nil)["total"] == 1


# --- resend


def test_a_delivered_one_is_sent_again_with_the_same_id_and_sequence(server, receiver):
    hook = register(server, receiver)
    add(server)
    first = receiver.next()
    number = newest(server, hook)["id"]
    wait_state(server, number, "delivered")
    answer = server.post(f"/deliveries/{number}/resend")
    assert answer.status == 202
    assert (answer.json["id"], answer.json["state"], answer.json["finishedAt"]) == (number, "owed", None)
    second = receiver.next()
    assert second.body == first.body
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert second.headers["webhook-sequence"] == first.headers["webhook-sequence"] == "1"
    shown = wait_state(server, number, "delivered")
    assert [a["number"] for a in shown["attempts"]] == [1, 2]
    assert deliveries(server, hook)["total"] == 1


def test_an_owed_one_need_not_wait_for_its_time(server, receiver):
    receiver.script = [500, 200]
    hook = register(server, receiver, retrySchedule=[3600])
    add(server)
    number = newest(server, hook)["id"]
    wait_until(lambda: newest(server, hook)["attemptCount"] == 1)
    assert server.post(f"/deliveries/{number}/resend").status == 202
    assert wait_state(server, number, "delivered")["attemptCount"] == 2


def test_an_exhausted_one_begins_its_schedule_anew(server, receiver):
    receiver.script = [500]
    hook = register(server, receiver, retrySchedule=[])
    add(server)
    number = newest(server, hook)["id"]
    wait_state(server, number, "exhausted")
    server.patch(f"/webhooks/{hook}", {"retrySchedule": [3600]})
    assert server.post(f"/deliveries/{number}/resend").status == 202
    wait_until(lambda: delivery(server, number)["attemptCount"] == 2)
    assert delivery(server, number)["state"] == "owed"


def test_a_resend_survives_a_crash(start_server, receiver):
    server = start_server(*LOOPBACK)
    hook = register(server, receiver)
    add(server)
    receiver.next()
    number = newest(server, hook)["id"]
    wait_state(server, number, "delivered")
    receiver.script = ["hang"]
    assert server.post(f"/deliveries/{number}/resend").status == 202
    receiver.next()
    server.kill()
    receiver.script = [200]
    server = start_server(*LOOPBACK)
    receiver.next()
    assert wait_state(server, number, "delivered")["attemptCount"] == 2


def test_the_deliveries_of_a_deleted_webhook_are_discarded_and_not_sent_again(server, receiver):
    receiver.script = [500]
    hook = register(server, receiver)
    add(server)
    number = newest(server, hook)["id"]
    wait_until(lambda: delivery(server, number)["attemptCount"] == 1)
    assert server.delete(f"/webhooks/{hook}").status == 204
    wait_state(server, number, "discarded")
    assert error(server.post(f"/deliveries/{number}/resend"))[:2] == (404, "webhook_not_found")


# --- discard


def test_an_owed_one_is_discarded_by_hand(server, receiver):
    receiver.script = [500]
    hook = register(server, receiver)
    add(server)
    number = newest(server, hook)["id"]
    wait_until(lambda: delivery(server, number)["attemptCount"] == 1)
    answer = server.delete(f"/deliveries/{number}")
    assert (answer.status, answer.body) == (204, b"")
    shown = delivery(server, number)
    assert (shown["state"], shown["nextAttemptAt"]) == ("discarded", None)
    assert shown["finishedAt"] is not None
    assert server.delete(f"/deliveries/{number}").status == 204  # once more: nothing to do


def test_one_in_flight_is_discarded_and_stays_so(server, receiver):
    receiver.script = ["hold", 200]
    hook = register(server, receiver, wait=False)
    add(server)
    receiver.next()
    number = newest(server, hook)["id"]
    assert server.delete(f"/deliveries/{number}").status == 204
    receiver.release()
    wait_until(lambda: delivery(server, number)["attemptCount"] == 1)
    assert delivery(server, number)["state"] == "discarded"


def test_a_finished_one_cannot_be_discarded(server, receiver):
    hook = register(server, receiver)
    add(server)
    number = newest(server, hook)["id"]
    wait_state(server, number, "delivered")
    assert error(server.delete(f"/deliveries/{number}")) == (
        409, "delivery_not_owed", f"Delivery `{number}` is delivered: only a delivery that is still owed can be discarded.")


# --- ping


def test_a_ping_reaches_that_webhook_alone(server, make_receiver):
    receivers = [make_receiver() for _ in range(2)]
    hooks = [register(server, r) for r in receivers]
    answer = server.post(f"/webhooks/{hooks[0]}/ping")
    assert answer.status == 202
    shown = answer.json
    assert (shown["eventType"], shown["cause"], shown["batchUid"], shown["sequence"]) == ("webhook.ping", "ping", None, 1)
    request = receivers[0].next()
    assert request.headers["webhook-id"] == shown["eventId"]
    assert wait_state(server, shown["id"], "delivered")["webhookUuid"] == hooks[0]
    assert receivers[1].requests == []


@pytest.mark.parametrize("body, headers, status, code", [
    ("{}", {"Content-Type": "application/json"}, 202, None),
    ('{"a":1}', {"Content-Type": "application/json"}, 400, "bad_request"),
    ("[]", {"Content-Type": "application/json"}, 400, "bad_request"),
    ("{", {"Content-Type": "application/json"}, 400, "malformed_payload"),
    ("{}", {}, 415, "missing_content_type"),
])
def test_a_ping_has_nothing_to_say(shared, receiver, body, headers, status, code):
    hook = register(shared, receiver)
    answer = shared.post(f"/webhooks/{hook}/ping", body, headers=headers)
    assert (answer.status, answer.json.get("code")) == (status, code), answer
    assert shared.delete(f"/webhooks/{hook}").status == 204


def test_batches_do_not_wait_for_a_ping(server, receiver):
    receiver.script = ["hold", 200]
    hook = register(server, receiver)
    assert server.post(f"/webhooks/{hook}/ping").status == 202
    receiver.next()
    add(server, 2)  # though the ping hangs
    receiver.release()


def test_the_rights_of_these_routes(start_server):
    server = start_server("--master-key", "a-master-key-of-the-tests")
    for method, path in (("GET", f"/webhooks/{UNKNOWN}/deliveries"), ("GET", "/deliveries/1"),
                         ("POST", "/deliveries/1/resend"), ("DELETE", "/deliveries/1"),
                         ("POST", f"/webhooks/{UNKNOWN}/ping"), ("POST", f"/webhooks/{UNKNOWN}/replay")):
        assert server.request(method, path).status == 401, path
