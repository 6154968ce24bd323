"""Webhook deliveries: what receivers get, what their failures do (nothing to the queue), the pause at a batch boundary."""
import json

from conftest import LOOPBACK

STOPPED = ("--experimental-max-number-of-batched-tasks", "0")


def test_the_guides_own_example(hooked, receiver):
    answer = hooked.post("/indexes/movies/documents", {"id": 1, "title": "Carol"})
    assert answer.status == 202
    request = receiver.next()
    assert request.method == "POST" and request.path == "/hook"
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.body.endswith(b"\n") and request.body.count(b"\n") == 1
    task = request.tasks[0]
    assert list(task) == ["uid", "batchUid", "indexUid", "status", "type", "canceledBy", "details", "error", "duration",
                          "enqueuedAt", "startedAt", "finishedAt"]
    assert (task["uid"], task["batchUid"], task["indexUid"], task["status"], task["type"]) == (
        0, 0, "movies", "succeeded", "documentAdditionOrUpdate")
    assert task["details"] == {"receivedDocuments": 1, "indexedDocuments": 1}
    assert task["canceledBy"] is None and task["error"] is None


def test_the_line_is_byte_for_byte_what_get_task_answers(hooked, receiver):
    hooked.post("/indexes/movies/documents", {"id": 1, "title": "Zoë 🎬"})
    line = receiver.next().body
    assert hooked.get("/tasks/0").body + b"\n" == line


def test_the_authorization_header_of_the_command_line_is_sent(start_server, receiver):
    server = start_server("--task-webhook-url", receiver.url + "?query=kept&x=%20", *LOOPBACK,
                          "--task-webhook-authorization-header", "Bearer", "aSampleMasterKey")
    server.post("/indexes/movies/documents", {"id": 1})
    request = receiver.next()
    assert request.headers["Authorization"] == "Bearer aSampleMasterKey"
    assert request.path == "/hook?query=kept&x=%20"
    assert "aSampleMasterKey" not in server.log()


def test_tasks_of_one_batch_go_out_in_one_payload_with_the_failing_one(start_server, receiver, tmp_path):
    stopped = start_server("--task-webhook-url", receiver.url, *LOOPBACK, *STOPPED)
    stopped.post("/indexes/movies/documents", [{"id": 1}, {"id": 2}])
    stopped.post("/indexes/movies/documents", [{"id": "not valid!"}])
    stopped.post("/indexes/movies/documents", [{"id": 3}])
    assert stopped.stop() == 0
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    tasks = receiver.next().tasks
    assert [t["uid"] for t in tasks] == [0, 1, 2]
    assert [t["status"] for t in tasks] == ["succeeded", "failed", "succeeded"]
    assert {t["batchUid"] for t in tasks} == {0}
    assert tasks[1]["error"]["code"] == "invalid_document_id"
    assert tasks[1]["details"] == {"receivedDocuments": 1, "indexedDocuments": 0}
    assert server.get("/indexes/movies/stats").json["numberOfDocuments"] == 3


def test_every_webhook_gets_each_batch_with_its_headers(start_server, make_receiver):
    server = start_server(*LOOPBACK)
    receivers = [make_receiver() for _ in range(3)]
    for number, receiver in enumerate(receivers):
        answer = server.post("/webhooks", {"url": receiver.url, "headers": {"X-Number": str(number)}})
        assert answer.status == 201, answer
    server.post("/indexes/movies/documents", {"id": 1})
    for number, receiver in enumerate(receivers):
        request = receiver.next()
        assert request.headers["X-Number"] == str(number)
        assert [t["uid"] for t in request.tasks] == [0]


def test_a_held_answer_pauses_the_queue_and_not_the_api(hooked, receiver):
    receiver.script = ["hold", 200]
    hooked.post("/indexes/movies/documents", {"id": 1})
    receiver.next()  # batch 0 is being announced and not answered yet
    for number in range(2, 5):
        assert hooked.post("/indexes/movies/documents", {"id": number}).status == 202
    tasks = hooked.get("/tasks?limit=10&reverse=true").json
    assert [t["status"] for t in tasks["results"]] == ["succeeded", "enqueued", "enqueued", "enqueued"]
    assert hooked.get("/batches").json["total"] == 1
    assert hooked.get("/health").json == {"status": "available"}
    assert len(receiver.requests) == 1
    receiver.release()
    seen = receiver.wait_for_tasks([1, 2, 3])
    assert {seen[uid]["batchUid"] for uid in (1, 2, 3)} == {1}  # what piled up meanwhile is one batch


def test_cancelation_runs_during_the_pause(hooked, receiver):
    receiver.script = ["hold", 200]
    hooked.post("/indexes/movies/documents", {"id": 1})
    receiver.next()
    hooked.post("/indexes/movies/documents", {"id": 2})
    task = hooked.run("POST", "/tasks/cancel?uids=1")
    assert task["details"]["canceledTasks"] == 1
    assert hooked.get("/tasks/1").json["status"] == "canceled"
    receiver.release()


def failing(start_server, receiver, *flags):
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK, *flags)
    for number in range(3):
        assert server.run("POST", "/indexes/movies/documents", {"id": number})["status"] == "succeeded"
    server.wait_log("While sending data to the webhook 00000000-0000-0000-0000-000000000000")
    return server


def test_a_receiver_that_answers_500_is_logged_and_the_queue_goes_on(start_server, receiver):
    receiver.script = [500]
    assert "500" in failing(start_server, receiver).log()


def test_a_receiver_that_resets_is_logged_and_the_queue_goes_on(start_server, receiver):
    receiver.script = ["reset"]
    failing(start_server, receiver)


def test_an_absent_receiver_is_logged_and_the_queue_goes_on(start_server, make_receiver):
    receiver = make_receiver()
    receiver.close()
    failing(start_server, receiver)


def test_a_receiver_that_hangs_costs_one_deadline_and_the_queue_goes_on(start_server, receiver):
    receiver.script = ["hang"]
    server = failing(start_server, receiver, "--webhook-timeout", "300ms")
    assert "timeout" in server.log()


def test_a_failed_delivery_is_sent_again_with_the_same_id_and_body(start_server, receiver):
    receiver.script = [500, 200]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    server.post("/indexes/movies/documents", {"id": 1})
    first, second = receiver.next(), receiver.next()
    assert first.raw == second.raw
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_an_interrupted_delivery_is_sent_again_after_a_kill(start_server, make_receiver, receiver):
    receiver.script = ["hang"]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    server.post("/indexes/movies/documents", {"id": 1})
    first = receiver.next()
    server.kill()
    receiver.script = [200]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    second = receiver.next()
    assert second.body == first.body and second.headers["webhook-id"] == first.headers["webhook-id"]
    assert server.run("POST", "/indexes/movies/documents", {"id": 2})["status"] == "succeeded"


def test_private_addresses_are_refused_by_default_with_the_flag_named(start_server, receiver):
    server = start_server("--task-webhook-url", receiver.url)
    assert server.run("POST", "/indexes/movies/documents", {"id": 1})["status"] == "succeeded"
    server.wait_log("While sending data to the webhook")
    assert "127.0.0.1" in server.log() and "--experimental-allowed-ip-networks" in server.log()
    assert receiver.requests == []


def test_a_name_that_resolves_to_a_refused_address_is_refused_too(start_server, receiver):
    server = start_server("--task-webhook-url", f"http://localhost:{receiver.port}/")
    server.run("POST", "/indexes/movies/documents", {"id": 1})
    server.wait_log("While sending data to the webhook.*--experimental-allowed-ip-networks")
    assert receiver.requests == []


def test_redirects_are_not_followed(start_server, make_receiver):
    receiver = make_receiver()
    receiver.script = [307]
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    server.run("POST", "/indexes/movies/documents", {"id": 1})
    server.wait_log("While sending data to the webhook.*307")


def test_a_canceled_task_is_announced_with_its_cancelation(start_server, receiver):
    stopped = start_server("--task-webhook-url", receiver.url, *LOOPBACK, *STOPPED)
    stopped.post("/indexes/movies/documents", {"id": 1})
    stopped.post("/tasks/cancel?uids=0")
    assert stopped.stop() == 0
    start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    seen = receiver.wait_for_tasks([0, 1])
    assert seen[0]["status"] == "canceled" and seen[0]["canceledBy"] == 1
    assert seen[1]["type"] == "taskCancelation" and seen[0]["batchUid"] == seen[1]["batchUid"]


def test_a_webhook_changed_at_run_time_gets_the_next_batch(start_server, make_receiver):
    first, second = make_receiver(), make_receiver()
    server = start_server(*LOOPBACK)
    uuid = server.post("/webhooks", {"url": first.url}).json["uuid"]
    server.run("POST", "/indexes/movies/documents", {"id": 1})
    assert first.next().tasks[0]["uid"] == 0
    assert server.patch(f"/webhooks/{uuid}", {"url": second.url}).status == 200
    server.run("POST", "/indexes/movies/documents", {"id": 2})
    assert second.next().tasks[0]["uid"] == 1
    assert server.delete(f"/webhooks/{uuid}").status == 204
    server.run("POST", "/indexes/movies/documents", {"id": 3})
    assert len(first.requests) == 1 and len(second.requests) == 1


def test_a_large_batch_goes_out_whole(start_server, receiver):
    stopped = start_server("--task-webhook-url", receiver.url, *LOOPBACK, *STOPPED)
    connection = stopped.connect()
    for number in range(1500):
        connection.request("POST", "/indexes/movies/documents", json.dumps({"id": number}),
                           {"Content-Type": "application/json"})
        assert connection.getresponse().read()
    assert stopped.stop() == 0
    server = start_server("--task-webhook-url", receiver.url, *LOOPBACK)
    request = receiver.next()
    assert [t["uid"] for t in request.tasks] == list(range(1500))
    assert {t["status"] for t in request.tasks} == {"succeeded"}
    assert server.get("/indexes/movies/stats").json["numberOfDocuments"] == 1500
