"""How much the queue keeps: deletion of the oldest finished tasks, the limit on the disk."""
from conftest import wait_until

PAUSED = ("--experimental-max-number-of-batched-tasks", "0")


def totals(server):
    return server.get("/tasks?limit=0").json["total"]


def test_the_oldest_finished_tasks_go_when_there_are_too_many(start_server):
    server = start_server("--max-tasks", 40)
    for n in range(45):
        server.run("POST", "/indexes/a/documents", [{"id": n}])
    wait_until(lambda: server.get("/tasks?types=taskDeletion&statuses=succeeded").json["total"] >= 1, "no deletion")
    deletion = server.get("/tasks?types=taskDeletion&reverse=true").json["results"][0]
    assert deletion["details"]["matchedTasks"] == deletion["details"]["deletedTasks"] == 4
    before, statuses = deletion["details"]["originalFilter"].split("&")
    assert before.startswith("?beforeEnqueuedAt=") and statuses == "statuses=succeeded,failed,canceled"
    assert [server.get(f"/tasks/{uid}").status for uid in range(4)] == [404] * 4
    assert totals(server) <= 42


def test_tasks_that_are_not_finished_stay_however_many(start_server):
    server = start_server("--max-tasks", 20, *PAUSED)
    for n in range(30):
        server.request("POST", "/indexes/a/documents", [{"id": n}])
    server.stop()
    server = start_server("--max-tasks", 20)
    wait_until(lambda: server.get("/tasks?statuses=enqueued,processing&limit=0").json["total"] == 0, "tasks are left")
    assert server.get("/tasks?uids=29").json["results"][0]["status"] == "succeeded"


def test_a_full_queue_takes_cancelations_and_deletions_only(start_server):
    server = start_server("--max-task-db-size", "1 MiB", *PAUSED)
    text = "x" * 20_000
    answer = None
    for n in range(200):
        answer = server.request("POST", "/indexes/a/documents", [{"id": n, "text": text}])
        if answer.status != 202:
            break
    assert (answer.status, answer.json["code"]) == (422, "no_space_left_on_device")
    assert "limit of the task database has been reached" in answer.json["message"]
    assert server.request("DELETE", "/tasks?uids=99999").status == 422  # it would make no room
    assert server.request("POST", "/tasks/cancel?statuses=enqueued").status == 200
    server.stop()
    server = start_server("--max-task-db-size", "1 MiB")
    wait_until(lambda: server.get("/tasks?statuses=enqueued,processing&limit=0").json["total"] == 0, "tasks are left")
    assert server.request("DELETE", "/tasks?statuses=canceled").status == 200
    wait_until(lambda: server.request("POST", "/indexes/a/documents", [{"id": 1}]).status == 202, "it stays full")


def test_a_queue_that_is_full_takes_a_deletion_that_makes_room_and_a_cancelation(start_server):
    """While it is full: every other write is refused before and behind them."""
    server = start_server()
    server.done(server.post("/indexes/a/documents", [{"id": "finished"}]))
    server.stop()
    server = start_server("--max-task-db-size", "1 MiB", *PAUSED)

    def import_is_refused():
        answer = server.post("/indexes/a/documents", [{"id": 1, "text": "x" * 20_000}])
        return answer.status == 422 and answer.json["code"] == "no_space_left_on_device"
    wait_until(import_is_refused, "it does not get full", server.process)
    assert server.post("/indexes", {"uid": "b"}).status == 422
    assert server.delete("/tasks?statuses=succeeded").status == 200
    assert import_is_refused()
    assert server.post("/tasks/cancel?statuses=enqueued").status == 200
    assert import_is_refused()
    assert server.delete("/indexes/a").status == 422


def test_compaction_needs_its_feature_and_gives_space_back_while_the_server_works(start_server):
    server = start_server(*PAUSED)
    for n in range(60):
        assert server.request("POST", "/indexes/a/documents", [{"id": n, "text": "x" * 30_000}]).status == 202
    server.stop()
    server = start_server()
    wait_until(lambda: server.get("/tasks?statuses=enqueued,processing&limit=0").json["total"] == 0, "tasks are left")
    refused = server.request("POST", "/tasks/compact")
    assert (refused.status, refused.json["code"]) == (400, "feature_not_enabled")
    server.request("PATCH", "/experimental-features", {"taskQueueCompactionRoute": True})
    file = server.db_path / "queue/data.mdb"
    before = file.stat().st_blocks
    answer = server.request("POST", "/tasks/compact")
    assert answer.status == 200 and answer.json["status"] == "success" and answer.json["actionRequired"] is None
    assert file.stat().st_blocks < before
    assert server.run("POST", "/indexes/a/documents", [{"id": 1}])["status"] == "succeeded"
    listed = server.get("/tasks?limit=1000").json
    server.kill()
    server = start_server()
    assert server.get("/tasks?limit=1000").json == listed
