"""Report jobs: the seed's flow, every status and header of contracts.md 1.3, definitions, formats, callbacks, results."""
import base64
import concurrent.futures
import csv
import hashlib
import hmac
import io
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import zlib

import pytest

from conftest import LOOPBACK, Server, wait_until  # noqa: F401
from test_wait import n_waits

STOPPED = ("--experimental-max-number-of-batched-tasks", "0")
SALES = [{"id": 1, "region": "north", "amount": 10.1, "day": "2026-01-02", "who": {"name": "Ada"}},
         {"id": 2, "region": "south", "amount": 5, "day": "2026-01-01", "who": {"name": "Bo, the \"first\""}},
         {"id": 3, "region": "north", "amount": 20.2, "day": "2026-01-03"},
         {"id": 4, "region": "Köln <&>", "amount": 7, "day": "2026-01-04"}]
MONTHLY = {"index": "sales", "sort": ["amount:desc"], "fields": ["id", "region", "amount", "who.name"], "title": "Sales"}


def fill(server, documents=SALES):
    server.done(server.post("/indexes/sales/documents", documents))
    return server


def define(server, name="monthly_sales", **definition):
    answer = server.put(f"/api/report-definitions/{name}", definition or MONTHLY)
    assert answer.status in (200, 201), answer
    return answer


def submit(server, **fields):
    answer = server.post("/api/reports", {"reportType": "monthly_sales", **fields})
    assert answer.status == 202, answer
    return answer.json["taskId"]


def ended(server, task, status="completed"):
    def is_over():
        return server.get(f"/api/reports/{task}/status").json["status"] not in ("pending", "processing")
    wait_until(is_over, lambda: server.log(), server.process)
    document = server.get(f"/api/reports/{task}/status").json
    assert document["status"] == status, document
    return document


def make(server, **fields):
    task = submit(server, **fields)
    ended(server, task)
    return server.get(f"/api/reports/{task}/download")


def problem(answer, status, code, pointer=None):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json
    assert (document["status"], document["code"]) == (status, code), document
    assert document["type"] == "/problems/" + code.replace("_", "-")
    assert document["title"] and document["detail"]
    if pointer is not None:
        assert [error["pointer"] for error in document["errors"]] == [pointer]
    return document


@pytest.fixture
def sales(server):
    define(fill(server))
    return server


# --- the seed's flow

def test_the_seeds_flow_works_as_it_is_written(sales, make_receiver):
    registered, named = make_receiver(), make_receiver()
    answer = sales.post("/api/webhooks", {"event": "report.completed", "callbackUrl": registered.url})
    assert answer.status == 201 and answer.headers["Location"] == f"/api/webhooks/{answer.json['id']}"
    accepted = sales.post("/api/reports", {"reportType": "monthly_sales", "format": "json", "webhookUrl": named.url})
    assert accepted.status == 202
    assert list(accepted.json)[:2] == ["taskId", "status"]
    task = accepted.json["taskId"]
    assert task.isdigit() and accepted.json["status"] == "pending"
    for receiver in (registered, named):
        callback = receiver.next()
        assert callback.headers["Content-Type"] == "application/json"
        assert json.loads(callback.raw) == {
            "taskId": task, "status": "completed", "resultUrl": f"/api/reports/{task}/download"}
    result = sales.get(json.loads(callback.raw)["resultUrl"])
    assert result.status == 200
    assert [row["id"] for row in result.json["rows"]] == [3, 1, 4, 2]


def test_an_accepted_report_has_the_headers_of_an_asynchronous_answer(sales):
    answer = sales.post("/api/reports", {"reportType": "monthly_sales"})
    task = answer.json["taskId"]
    assert answer.headers["Location"] == f"/api/reports/{task}"
    assert answer.headers["Operation-Location"] == f"http://127.0.0.1:{sales.port}/tasks/{task}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Link"] == f'</api/reports/{task}/status>; rel="status"'
    assert len(answer.headers["X-Request-Id"]) == 36
    named = sales.post("/api/reports", {"reportType": "monthly_sales"}, headers={
        "X-Request-Id": "mine-7", "Content-Type": "application/json"})
    assert named.headers["X-Request-Id"] == "mine-7"
    assert sales.wait_task(int(task))["details"] == {
        "reportType": "monthly_sales", "format": "json", "rows": 4, "bytes": ended(sales, task)["bytes"]}


# --- watching

def test_location_is_202_until_ready_and_then_303_to_the_download(start_server):
    stopped = start_server(*LOOPBACK, *STOPPED)
    define(stopped)
    task = submit(stopped)
    waiting = stopped.get(f"/api/reports/{task}")
    assert waiting.status == 202 and waiting.headers["Retry-After"] == "1" and waiting.json["status"] == "pending"
    assert stopped.get(f"/api/reports/{task}/status").status == 200
    early = stopped.get(f"/api/reports/{task}/download")
    problem(early, 409, "report_not_finished")
    assert early.headers["Retry-After"] == "1"
    assert stopped.stop() == 0
    server = start_server(*LOOPBACK)
    ended(server, task, "failed")  # there is no such index
    task = submit(fill(server))
    ended(server, task)
    ready = server.get(f"/api/reports/{task}")
    assert (ready.status, ready.headers["Location"]) == (303, f"/api/reports/{task}/download")
    assert server.get(f"/api/reports/{task}?noredirect").status == 200
    preferred = server.get(f"/api/reports/{task}", headers={"Prefer": "return=representation"})
    assert preferred.status == 200 and preferred.headers["Preference-Applied"] == "return=representation"


def test_the_status_document_tells_everything(sales):
    document = ended(sales, submit(sales, format="csv"))
    assert (document["rows"], document["mediaType"]) == (4, "text/csv; charset=utf-8")
    assert document["createdAt"] <= document["startedAt"] <= document["finishedAt"] < document["expiresAt"]


def test_a_failed_report_says_why_everywhere(server, receiver):
    define(server)
    task = submit(server, webhookUrl=receiver.url)
    document = ended(server, task, "failed")
    assert document["resultUrl"] is None and document["error"]["code"] == "index_not_found"
    assert json.loads(receiver.next().raw) == {
        "taskId": task, "status": "failed", "resultUrl": None, "error": document["error"]}
    failed = server.get(f"/api/reports/{task}/download")
    assert problem(failed, 422, "report_failed")["error"] == document["error"]
    assert server.get(f"/api/reports/{task}").json["status"] == "failed"


def test_prefer_wait_answers_200_with_the_final_status(sales):
    answer = sales.post("/api/reports", {"reportType": "monthly_sales"}, headers={
        "Prefer": "respond-async, wait=20", "Content-Type": "application/json"})
    assert answer.status == 200 and answer.json["status"] == "completed"
    assert answer.headers["Preference-Applied"] == "wait=20"


def test_prefer_wait_that_runs_out_answers_202(start_server):
    server = start_server(*LOOPBACK, *STOPPED)
    define(server)
    answer = server.post("/api/reports", {"reportType": "monthly_sales"}, headers={
        "Prefer": "wait=0", "Content-Type": "application/json"})
    assert answer.status == 202 and answer.headers["Preference-Applied"] == "wait=0"


def wait_for(server, path, seconds=20):
    return server.get(path, headers={"Prefer": f"wait={seconds}"})


@pytest.mark.parametrize("what, status", [("", 303), ("/status", 200), ("?noredirect", 200)])
def test_prefer_wait_holds_a_look_at_a_report_until_its_end(start_server, receiver, what, status):
    hooked = start_server("--task-webhook-url", receiver.url, "--experimental-enable-metrics", *LOOPBACK)
    define(fill(hooked))
    receiver.next()
    receiver.script = ["hold"]
    hooked.put("/indexes/blocker/documents", [{"id": 1}])
    receiver.next()  # the queue waits for this answer
    task = submit(hooked)
    receiver.script = [200]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for, hooked, f"/api/reports/{task}{what}")
        wait_until(lambda: n_waits(hooked) == 1, hooked.log, hooked.process)
        assert not waiting.done()
        receiver.release()
        answer = waiting.result()
    assert answer.status == status and answer.json["status"] == "completed"
    assert answer.headers["Preference-Applied"] == "wait=20" and "Prefer" in answer.headers.get_all("Vary")


def test_a_wait_that_runs_out_shows_the_report_as_it_is(start_server):
    server = start_server(*LOOPBACK, *STOPPED)
    define(server)
    task = submit(server)
    for what, status in (("", 202), ("/status", 200)):
        answer = wait_for(server, f"/api/reports/{task}{what}", 1)
        assert (answer.status, answer.json["status"], answer.headers["Retry-After"]) == (status, "pending", "1")
        assert answer.headers["Preference-Applied"] == "wait=1"


def test_a_look_that_waits_is_answered_when_the_server_stops(start_server):
    server = start_server(*LOOPBACK, *STOPPED, "--experimental-enable-metrics")
    define(server)
    task = submit(server)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for, server, f"/api/reports/{task}/status", 30)
        wait_until(lambda: n_waits(server) == 1, server.log, server.process)
        assert server.stop() == 0
        assert waiting.result().json["status"] == "pending"


def test_an_idempotency_key_gives_the_same_report_twice(sales):
    headers = {"Idempotency-Key": "once", "Content-Type": "application/json"}
    body = {"reportType": "monthly_sales"}
    first = sales.post("/api/reports", body, headers=headers)
    again = sales.post("/api/reports", body, headers=headers)
    assert again.json == first.json and again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    problem(sales.post("/api/reports", {**body, "format": "csv"}, headers=headers), 422, "idempotency_key_mismatch")


def test_reports_are_listed_newest_first_with_a_cursor(sales):
    tasks = [submit(sales) for _ in range(3)]
    page = sales.get("/api/reports?limit=2").json
    assert [row["taskId"] for row in page["results"]] == tasks[:0:-1]
    rest = sales.get(f"/api/reports?limit=2&from={page['next']}").json
    assert [row["taskId"] for row in rest["results"]] == tasks[:1] and rest["next"] is None


# --- results

@pytest.fixture
def download(sales):
    """download(method="GET", **headers): the same result each time; `_` stands for `-` in names."""
    task = submit(sales)
    ended(sales, task)

    def ask(method="GET", **headers):
        return sales.request(method, f"/api/reports/{task}/download",
                             headers={name.replace("_", "-"): value for name, value in headers.items()})
    ask.task = task
    return ask


def test_a_result_has_validators_a_length_and_a_name(download):
    whole = download()
    assert whole.headers["Content-Disposition"] == f'attachment; filename="monthly_sales-{download.task}.json"'
    assert int(whole.headers["Content-Length"]) == len(whole.body) and whole.headers["Accept-Ranges"] == "bytes"
    assert re.fullmatch('"[0-9a-f]{32}"', whole.headers["ETag"]) and whole.headers["Last-Modified"].endswith("GMT")
    assert hashlib.sha256(whole.body).hexdigest().startswith(whole.headers["ETag"].strip('"'))


def test_a_part_of_a_result_is_206(download):
    whole = download().body
    for value, expected in (("bytes=0-9", whole[:10]), ("bytes=10-", whole[10:]), ("bytes=-7", whole[-7:])):
        part = download(Range=value)
        assert (part.status, part.body) == (206, expected)
        at = whole.index(expected)
        assert part.headers["Content-Range"] == f"bytes {at}-{at + len(expected) - 1}/{len(whole)}"


def test_several_parts_are_one_multipart_answer(download):
    whole = download()
    parts = download(Range="bytes=0-9,20-29,-5")
    assert parts.status == 206 and "Content-Range" not in parts.headers
    assert int(parts.headers["Content-Length"]) == len(parts.body)
    kind, boundary = parts.headers["Content-Type"].split("; boundary=")
    assert kind == "multipart/byteranges"
    pieces = parts.body.split(f"--{boundary}".encode())
    assert (pieces[0], pieces[-1]) == (b"", b"--\r\n")
    size = len(whole.body)
    for piece, (first, last) in zip(pieces[1:-1], [(0, 9), (20, 29), (size - 5, size - 1)], strict=True):
        head, body = piece.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)
        assert head.decode().split("\r\n") == [
            f"Content-Type: {whole.headers['Content-Type']}", f"Content-Range: bytes {first}-{last}/{size}"]
        assert body == whole.body[first:last + 1] + b"\r\n"


def test_ranges_that_are_wrong_or_longer_than_the_whole_are_answered_with_the_whole(download):
    whole = download()
    for value in ("bytes=9-1", "lines=1-2", "bytes=0-,0-", "bytes=" + ",".join(f"{n}-{n}" for n in range(33))):
        answer = download(Range=value)
        assert (answer.status, answer.body) == (200, whole.body), value


def test_a_range_behind_the_end_is_416(download):
    size = len(download().body)
    for value in (f"bytes={size}-", "bytes=-0"):
        beyond = download(Range=value)
        problem(beyond, 416, "report_range_not_satisfiable")
        assert beyond.headers["Content-Range"] == f"bytes */{size}"


def test_if_range_decides_whether_the_range_counts(download):
    whole = download()
    for same in (whole.headers["ETag"], whole.headers["Last-Modified"]):
        assert download(Range="bytes=0-1", If_Range=same).status == 206
    for other in ('"old"', "W/" + whole.headers["ETag"], "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 06 Nov 2099 08:49:37 GMT"):
        answer = download(Range="bytes=0-1", If_Range=other)
        assert (answer.status, answer.body) == (200, whole.body)


def test_what_the_client_has_is_304(download):
    etag, modified = (download().headers[name] for name in ("ETag", "Last-Modified"))
    for headers in ({"If_None_Match": etag}, {"If_None_Match": f'"other", W/{etag}'}, {"If_None_Match": "*"},
                    {"If_Modified_Since": modified}, {"If_Modified_Since": "Friday, 06-Nov-49 08:49:37 GMT"}):
        answer = download(**headers)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag), headers
    for headers in ({"If_None_Match": '"other"', "If_Modified_Since": modified}, {"If_Modified_Since": "yesterday"},
                    {"If_Modified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}):
        assert download(**headers).status == 200, headers


def test_another_result_than_the_client_means_is_412(download):
    etag, modified = (download().headers[name] for name in ("ETag", "Last-Modified"))
    for headers in ({"If_Match": '"other"'}, {"If_Match": "W/" + etag},
                    {"If_Unmodified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}):
        problem(download(Range="bytes=0-1", **headers), 412, "report_precondition_failed")
    for headers in ({"If_Match": f'"other", {etag}'}, {"If_Match": "*"}, {"If_Unmodified_Since": modified}):
        assert download(Range="bytes=0-1", **headers).status == 206, headers


def test_head_has_the_headers_of_get_and_no_part(download):
    whole, head = download(), download("HEAD", Range="bytes=0-1")
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition"):
        assert head.headers[name] == whole.headers[name]
    assert download("HEAD", If_None_Match=whole.headers["ETag"]).status == 304


def test_a_deleted_result_is_gone_and_stays_known(sales, tmp_path):
    task = submit(sales)
    ended(sales, task)
    assert sales.delete(f"/api/reports/{task}").status == 204
    problem(sales.get(f"/api/reports/{task}/download"), 410, "report_expired")
    problem(sales.get(f"/api/reports/{task}"), 410, "report_expired")
    assert sales.get(f"/api/reports/{task}/status").json["status"] == "completed"
    problem(sales.delete(f"/api/reports/{task}"), 409, "report_already_finished")
    assert list((tmp_path / "data" / "reports").iterdir()) == []


def test_a_result_expires_after_its_lifetime(start_server, tmp_path):
    server = start_server(*LOOPBACK, "--report-lifetime", "1s")
    define(fill(server))
    task = submit(server)
    ended(server, task)
    wait_until(lambda: server.get(f"/api/reports/{task}/download").status == 410, server.log, server.process)
    assert list((tmp_path / "data" / "reports").iterdir()) == []


def test_the_oldest_result_makes_room_for_a_new_one(start_server):
    server = start_server(*LOOPBACK, "--report-max-size", "64 KiB")
    fill(server, [{"id": number, "text": "x" * 100} for number in range(300)])
    define(server, index="sales")
    first, second = submit(server), submit(server)
    ended(server, second)
    problem(server.get(f"/api/reports/{first}/download"), 410, "report_expired")
    assert server.get(f"/api/reports/{second}/download").status == 200


def test_a_result_larger_than_all_room_fails(start_server):
    server = start_server(*LOOPBACK, "--report-max-size", "64 KiB")
    fill(server, [{"id": number, "text": "x" * 100} for number in range(1000)])
    define(server, index="sales")
    assert ended(server, submit(server), "failed")["error"]["code"] == "report_too_large"


def test_results_definitions_and_webhooks_survive_a_crash(start_server, receiver, tmp_path):
    server = start_server(*LOOPBACK)
    define(fill(server))
    hook = server.post("/api/webhooks", {"events": ["*"], "callbackUrl": receiver.url, "token": "t0k"}).json
    body = make(server).body
    server.kill()
    (tmp_path / "data" / "reports" / "01234567-89ab-4def-8123-456789abcdef").write_text("nobody's")
    again = start_server(*LOOPBACK)
    newest = again.get("/api/reports?limit=1").json["results"][0]["taskId"]
    assert again.get(f"/api/reports/{newest}/download").body == body
    shown = again.get(f"/api/webhooks/{hook['id']}").json
    assert {key: shown[key] for key in ("id", "events", "callbackUrl", "createdAt", "active")} == {
        key: hook[key] for key in ("id", "events", "callbackUrl", "createdAt", "active")}
    assert len(list((tmp_path / "data" / "reports").iterdir())) == 1
    make(again)
    wait_until(lambda: len(receiver.requests) >= 2, again.log, again.process)


# --- cancelation

def test_an_enqueued_report_can_be_canceled(start_server, receiver):
    server = start_server(*LOOPBACK, *STOPPED)
    define(server)
    server.post("/api/webhooks", {"event": "report.canceled", "callbackUrl": receiver.url})
    task = submit(server)
    assert server.stop() == 0
    server = start_server(*LOOPBACK, *STOPPED)
    answer = server.delete(f"/api/reports/{task}")
    assert answer.status == 202 and answer.json["taskId"] == task
    assert answer.headers["Operation-Location"].endswith(f"/tasks/{task}")
    assert server.stop() == 0
    server = start_server(*LOOPBACK)
    assert ended(server, task, "canceled")["resultUrl"] is None
    assert json.loads(receiver.next().raw) == {"taskId": task, "status": "canceled", "resultUrl": None}
    problem(server.get(f"/api/reports/{task}/download"), 410, "report_canceled")
    problem(server.delete(f"/api/reports/{task}"), 409, "report_already_finished")


MANY = [{"id": number, "text": "x" * 200} for number in range(30000)]


def running(start_server):
    """A server whose report takes a while: it is being made."""
    server = start_server(*LOOPBACK)
    fill(server, MANY)
    define(server, index="sales", sort=["text:desc", "id:desc"])
    task = submit(server, format="html")
    wait_until(lambda: server.get(f"/api/reports/{task}/status").json["status"] != "pending", server.log, server.process)
    return server, task


def test_a_running_report_shows_progress_and_can_be_canceled(start_server, tmp_path):
    server, task = running(start_server)
    status = server.get(f"/api/reports/{task}/status").json
    assert status["status"] == "processing" and 0 <= status["progress"]["rows"] <= status["progress"]["total"] <= len(MANY)
    assert server.delete(f"/api/reports/{task}").status == 202
    ended(server, task, "canceled")
    assert list((tmp_path / "data" / "reports").iterdir()) == []


def test_a_report_that_a_crash_interrupts_is_made_after_the_start(start_server, tmp_path):
    server, task = running(start_server)
    server.kill()
    again = start_server(*LOOPBACK)
    assert ended(again, task)["rows"] == len(MANY)
    assert again.get(f"/api/reports/{task}/download").body.endswith(b"</html>\n")
    assert len(list((tmp_path / "data" / "reports").iterdir())) == 1


# --- formats

def test_csv_is_rfc_4180_with_columns_of_nested_fields(sales):
    result = make(sales, format="csv")
    rows = list(csv.DictReader(io.StringIO(result.body.decode(), newline="")))
    assert rows[3] == {"id": "2", "region": "south", "amount": "5", "who.name": 'Bo, the "first"'}
    assert result.body.startswith(b"id,region,amount,who.name\r\n")


def test_csv_without_chosen_fields_has_every_field_the_key_first(sales):
    result = make(sales, reportType="documents", format="csv", parameters={"index": "sales"})
    rows = list(csv.reader(io.StringIO(result.body.decode(), newline="")))
    assert rows[0] == ["id", "amount", "day", "region", "who"]
    assert rows[1] == ["1", "10.1", "2026-01-02", "north", '{"name":"Ada"}']


def test_ndjson_is_one_document_a_line_as_stored(sales):
    result = make(sales, reportType="documents", format="ndjson", parameters={"index": "sales"})
    assert [json.loads(line) for line in result.body.splitlines()] == SALES


def test_html_is_escaped(sales):
    text = make(sales, format="html").body.decode()
    assert "<h1>Sales</h1>" in text and "Köln &lt;&amp;&gt;" in text and '<td class="n">20.2</td>' in text


def pdf_objects(body):
    """Number to bytes of every object, found through the cross-reference table."""
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", body)[1])
    lines = body[table:].split(b"\n")
    assert lines[0] == b"xref"
    offsets = [int(line[:10]) for line in lines[3:2 + int(lines[1].split()[1])]]
    for number, offset in enumerate(offsets, 1):
        assert body[offset:].startswith(b"%d 0 obj\n" % number)
    return {number: body[offset:body.index(b"endobj", offset)] for number, offset in enumerate(offsets, 1)}


def test_pdf_is_a_table_on_numbered_pages_with_unicode_text(start_server):
    server = start_server(*LOOPBACK)
    fill(server, [{"id": number, "name": f"Žluťoučký кот № {number} 中文 {'wide ' * (number % 40)}"} for number in range(300)])
    if server.post("/api/reports", {"reportType": "tasks", "format": "pdf"}).status == 400:
        pytest.skip("built without PDF")
    result = make(server, reportType="documents", format="pdf", parameters={"index": "sales", "title": "Überblick €"})
    assert result.headers["Content-Type"] == "application/pdf" and result.body.startswith(b"%PDF-1.5\n")
    objects = pdf_objects(result.body)
    pages = [o for o in objects.values() if b"/Type/Page/" in o]
    assert len(pages) > 3 and b"/Count %d/" % len(pages) in objects[2]
    maps = zlib.decompress(objects[7].split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0])
    shown = {chr(int(code, 16)) for code in re.findall(rb"<[0-9A-F]{4}><([0-9A-F]{4})>endbfchar", maps)}
    assert set("Žluťoučký кот№Überblick€") <= shown
    assert "Überblick €".encode("utf-16-be").hex().upper().encode() in objects[9]


def pdf_lines(body):
    """What stands on the pages, a text a drawn line, through the font's own map of glyphs."""
    objects = pdf_objects(body)

    def unpacked(object):
        return zlib.decompress(object.split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0])
    codes = re.findall(rb"<([0-9A-F]{4})><([0-9A-F]+)>endbfchar", unpacked(objects[7]))
    shown = {glyph: bytes.fromhex(code.decode()).decode("utf-16-be") for glyph, code in codes}
    pages = [objects[int(re.search(rb"/Contents (\d+) 0 R", o)[1])] for o in objects.values() if b"/Type/Page/" in o]
    return ["".join(shown[line[i:i + 4]] for i in range(0, len(line), 4))
            for page in pages for line in re.findall(rb"<([0-9A-F]*)>Tj", unpacked(page))]


def make_pdf(server, documents, **parameters):
    fill(server, documents)
    if server.post("/api/reports", {"reportType": "tasks", "format": "pdf"}).status == 400:
        pytest.skip("built without PDF")
    return make(server, reportType="documents", format="pdf", parameters={"index": "sales", "fields": ["text"], **parameters})


@pytest.mark.parametrize("text, shown", [
    ("漢字 ok", "\ufffd\ufffd ok"), ("a\0b\nc\td", "a b c d"), ("žluť \U0001f600", "žluť \U0001f600")])
def test_what_a_pdf_cannot_show_is_seen_to_be_missing(server, text, shown):
    assert shown in pdf_lines(make_pdf(server, [{"id": 1, "text": text}]).body)


def test_what_is_cut_off_in_a_pdf_ends_with_an_ellipsis(server):
    title = "A title that goes on " * 20
    lines = pdf_lines(make_pdf(server, [{"id": 1, "text": "é" * 700}], title=title).body)
    assert lines[0].startswith("A title") and lines[2].endswith("…") and lines[3].endswith("Z")
    cell = lines[lines.index("text") + 1:]
    assert cell[0] == "é" * len(cell[0]) and [line for line in cell if line.endswith("é…")]
    footer = lines[-2]
    assert footer.startswith("A title") and footer.endswith("…") and lines[-1] == "Page 1 of "


def test_an_empty_pdf_has_one_page(sales):
    if sales.post("/api/reports", {"reportType": "tasks", "format": "pdf"}).status == 400:
        pytest.skip("built without PDF")
    result = make(sales, format="pdf", parameters={"filter": "amount > 1000"})
    assert len([o for o in pdf_objects(result.body).values() if b"/Type/Page/" in o]) == 1


def test_json_tells_the_type_the_title_and_the_number_of_rows(sales):
    document = make(sales).json
    assert (document["reportType"], document["title"], document["total"]) == ("monthly_sales", "Sales", 4)
    assert document["rows"][1] == {"id": 1, "region": "north", "amount": 10.1, "who": {"name": "Ada"}}


# --- definitions

def test_groups_have_aggregates_and_can_be_sorted_by_them(sales):
    define(sales, "by_region", index="sales", groupBy=["region"], sort=["total:desc"], aggregates=[
        {"function": "count"}, {"function": "sum", "field": "amount", "as": "total"},
        {"function": "avg", "field": "amount"}, {"function": "min", "field": "day"}, {"function": "max", "field": "day"}])
    assert make(sales, reportType="by_region").json["rows"] == [
        {"region": "north", "count": 2, "total": 30.3, "avg_amount": 15.15, "min_day": "2026-01-02", "max_day": "2026-01-03"},
        {"region": "Köln <&>", "count": 1, "total": 7, "avg_amount": 7.0, "min_day": "2026-01-04", "max_day": "2026-01-04"},
        {"region": "south", "count": 1, "total": 5, "avg_amount": 5.0, "min_day": "2026-01-01", "max_day": "2026-01-01"}]


def test_aggregates_without_groups_are_one_row_even_of_nothing(sales):
    define(sales, "totals", index="sales", filter="amount > 1000", aggregates=[
        {"function": "count", "as": "n"}, {"function": "sum", "field": "amount"}, {"function": "max", "field": "amount"}])
    assert make(sales, reportType="totals").json["rows"] == [{"n": 0, "sum_amount": 0, "max_amount": None}]


def test_parameters_overlay_a_definition(sales):
    rows = make(sales, parameters={"filter": 'region = north', "sort": ["day:desc"], "fields": ["day"], "limit": 1}).json["rows"]
    assert rows == [{"day": "2026-01-03"}]


def test_tasks_and_deliveries_are_reports_of_the_server_itself(sales, receiver):
    make(sales, webhookUrl=receiver.url)
    receiver.next()
    rows = make(sales, reportType="tasks", format="ndjson").body.splitlines()
    assert [json.loads(row)["type"] for row in rows][:2] == ["documentAdditionOrUpdate", "report"]
    wait_until(lambda: make(sales, reportType="deliveries").json["rows"][0]["state"] == "delivered")
    row = make(sales, reportType="deliveries").json["rows"][0]
    assert (row["deliveries"], row["attempts"], row["attemptsEach"]) == (1, 1, 1.0)


def test_definitions_are_listed_read_replaced_and_removed(server):
    assert define(server).status == 201
    assert server.get("/api/report-definitions/monthly_sales").json == {
        "reportType": "monthly_sales", "builtIn": False, "definition": MONTHLY}
    assert define(server, "monthly_sales", index="other").status == 200
    names = [row["reportType"] for row in server.get("/api/report-definitions").json["results"]]
    assert names == ["documents", "tasks", "deliveries", "monthly_sales"]
    assert server.delete("/api/report-definitions/monthly_sales").status == 204
    problem(server.get("/api/report-definitions/monthly_sales"), 404, "report_type_not_found")
    problem(server.delete("/api/report-definitions/monthly_sales"), 404, "report_type_not_found")


def test_a_large_sorted_report_is_in_order(start_server):
    server = start_server(*LOOPBACK)
    documents = [{"id": number, "rank": number * 7919 % 20011, "text": "ö" * (number % 50)} for number in range(20000)]
    fill(server, documents)
    define(server, "ranked", index="sales", sort=["rank:desc"], fields=["id", "rank"])
    rows = [json.loads(line) for line in make(server, reportType="ranked", format="ndjson").body.splitlines()]
    assert [row["rank"] for row in rows] == sorted((d["rank"] for d in documents), reverse=True)


# --- callbacks

def verify(delivery, secret):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{delivery.headers['webhook-id']}.{delivery.headers['webhook-timestamp']}.".encode() + delivery.raw
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert delivery.headers["webhook-signature"] == expected


def test_callbacks_are_signed_with_the_secret_shown_once(sales, receiver):
    hook = sales.post("/api/webhooks", {"event": "report.*", "callbackUrl": receiver.url, "token": "sesame",
                                        "headers": {"X-Env": "test"}}).json
    make(sales)
    callback = receiver.next()
    verify(callback, hook["secret"])
    assert (callback.headers["Authorization"], callback.headers["X-Env"]) == ("Bearer sesame", "test")
    shown = sales.get(f"/api/webhooks/{hook['id']}").json
    assert shown["secret"] == "whsec_XXX..." and "sesame" not in json.dumps(shown)


def test_a_named_callback_is_signed_with_the_secret_of_its_request(sales, receiver):
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    make(sales, webhookUrl=receiver.url, webhookSecret=secret, webhookToken="sesame")
    callback = receiver.next()
    verify(callback, secret)
    assert callback.headers["Authorization"] == "Bearer sesame"


def test_a_url_that_is_registered_and_named_is_called_once(sales, receiver):
    sales.post("/api/webhooks", {"event": "report.completed", "callbackUrl": receiver.url})
    make(sales, webhookUrl=receiver.url.replace("http://", "HTTP://"))
    receiver.next()
    make(sales)
    receiver.next()
    assert len(receiver.requests) == 2


def test_a_failing_callback_is_retried_and_visible_and_does_not_hold_the_queue(sales, receiver):
    receiver.script = [500, 200]
    task = submit(sales, webhookUrl=receiver.url)
    document = ended(sales, task)
    make(sales)  # the queue went on
    first = receiver.next()
    path = f"/api/webhooks/{document['callbackId']}/deliveries"
    delivery = sales.get(path).json["results"][0]
    assert delivery["eventType"] == "report.completed"
    sales.post(f"/deliveries/{delivery['id']}/resend")
    again = receiver.next()
    assert again.raw == first.raw and again.headers["webhook-id"] == first.headers["webhook-id"]


def test_the_address_policy_holds_for_callbacks(start_server, receiver):
    server = start_server()
    define(fill(server))
    document = ended(server, submit(server, webhookUrl=receiver.url))
    path = f"/api/webhooks/{document['callbackId']}/deliveries"
    wait_until(lambda: server.get(path).json["results"][0]["lastOutcome"] == "address_denied", server.log, server.process)
    assert receiver.requests == []


def test_webhooks_of_reports_do_not_count_and_are_not_shown_among_the_others(server, receiver):
    hooks = [server.post("/api/webhooks", {"event": "*", "callbackUrl": receiver.url}).json["id"] for _ in range(25)]
    assert {hook["id"] for hook in server.get("/api/webhooks").json["results"]} == set(hooks)
    assert server.get("/webhooks").json == {"results": []}
    for _ in range(20):
        assert server.post("/webhooks", {"url": receiver.url}).status == 201
    assert server.post("/webhooks", {"url": receiver.url}).status == 400
    assert server.get(f"/webhooks/{hooks[0]}").status == 404
    assert server.patch(f"/webhooks/{hooks[0]}", {"url": receiver.url}).status == 404
    assert server.delete(f"/webhooks/{hooks[0]}").status == 404
    main = server.get("/webhooks").json["results"][0]["uuid"]
    problem(server.get(f"/api/webhooks/{main}"), 404, "webhook_not_found")


def test_webhooks_of_reports_are_changed_and_removed(server, receiver):
    hook = server.post("/api/webhooks", {"event": "report.completed", "callbackUrl": receiver.url}).json
    path = f"/api/webhooks/{hook['id']}"
    changed = server.patch(path, {"events": ["report.failed", "report.canceled"], "active": False})
    assert changed.status == 200
    assert changed.json["events"] == ["report.failed", "report.canceled"] and changed.json["active"] is False
    assert server.delete(path).status == 204
    problem(server.get(path), 404, "webhook_not_found")


def test_a_webhook_of_the_other_door_hears_of_reports_too(sales, receiver):
    sales.post("/webhooks", {"url": receiver.url, "events": ["report.completed"], "format": "json"})
    task = submit(sales)
    document = json.loads(receiver.next().raw)
    assert document["type"] == "report.completed"
    assert document["data"] == {"taskId": task, "status": "completed", "resultUrl": f"/api/reports/{task}/download"}


# --- an unmodified client

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "client"
PACKAGES = {"azure-core-lro-": "@azure/core-lro", "azure-abort-controller-": "@azure/abort-controller",
            "azure-core-util-": "@azure/core-util", "azure-logger-": "@azure/logger", "tslib-": "tslib",
            "typespec-ts-http-runtime-": "@typespec/ts-http-runtime"}


@pytest.fixture
def poll(tmp_path, server):
    """poll(mode, index): what @azure/core-lro says at the end."""
    for prefix, name in PACKAGES.items():
        with tarfile.open(next(CLIENT.glob(prefix + "*.tgz"))) as archive:
            archive.extractall(tmp_path)
        (tmp_path / "node_modules" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "package").rename(tmp_path / "node_modules" / name)
    shutil.copy(CLIENT / "report.lro.mjs", tmp_path)

    def run(mode, index):
        run = subprocess.run(["node", "report.lro.mjs", server.url, mode, index], cwd=tmp_path, capture_output=True,
                             text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr
        return json.loads(run.stdout)
    return run


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("mode", ["both", "location"])
def test_azure_core_lro_polls_a_report_to_its_end(poll, server, mode):
    fill(server)
    assert poll(mode, "sales") == {"status": "succeeded", "total": len(SALES)}


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_azure_core_lro_sees_a_failure(poll):
    said = poll("both", "nothing")
    assert said["status"] == "failed" and "index_not_found" in said["message"]


# --- errors

@pytest.mark.parametrize("body, status, code, pointer", [
    ({}, 400, "missing_report_type", "/reportType"),
    ({"reportType": 7}, 400, "invalid_report_type", "/reportType"),
    ({"reportType": "../etc"}, 400, "invalid_report_type", "/reportType"),
    ({"reportType": "unknown"}, 422, "report_definition_not_found", "/reportType"),
    ({"reportType": "tasks", "format": "docx"}, 400, "invalid_report_format", "/format"),
    ({"reportType": "documents"}, 400, "invalid_report_parameters", "/parameters/index"),
    ({"reportType": "tasks", "parameters": {"filter": "a ="}}, 400, "invalid_report_filter", "/parameters/filter"),
    ({"reportType": "tasks", "parameters": {"sort": ["a:up"]}}, 400, "invalid_report_sort", "/parameters/sort"),
    ({"reportType": "tasks", "parameters": {"limit": 0}}, 400, "invalid_report_definition", "/parameters/limit"),
    ({"reportType": "tasks", "webhookUrl": "not a url"}, 400, "invalid_callback_url", "/webhookUrl"),
    ({"reportType": "tasks", "webhookUrl": "http://a/", "webhookToken": "a b"}, 400, "invalid_callback_token", "/webhookToken"),
    ({"reportType": "tasks", "webhookUrl": "http://a/", "webhookSecret": "x"}, 400, "invalid_callback_secret",
     "/webhookSecret"),
    ({"reportType": "tasks", "surprise": 1}, 400, "bad_request", "/surprise")])
def test_a_refused_report_names_the_field(shared, body, status, code, pointer):
    problem(shared.post("/api/reports", body), status, code, pointer)


@pytest.mark.parametrize("body, code, pointer", [
    ({"callbackUrl": "http://a/"}, "missing_callback_event", "/event"),
    ({"event": "report.completed"}, "missing_callback_url", "/callbackUrl"),
    ({"event": "report.begun", "callbackUrl": "http://a/"}, "invalid_callback_event", "/event"),
    ({"events": [], "callbackUrl": "http://a/"}, "invalid_callback_event", "/events"),
    ({"event": "*", "callbackUrl": "a"}, "invalid_callback_url", "/callbackUrl"),
    ({"event": "*", "callbackUrl": "http://a/", "headers": {"a b": "c"}}, "invalid_callback_headers", "/headers"),
    ({"event": "*", "callbackUrl": "http://a/", "secret": "short"}, "invalid_callback_secret", "/secret"),
    ({"event": "*", "callbackUrl": "http://a/", "active": 1}, "invalid_callback_active", "/active")])
def test_a_refused_webhook_names_the_field(shared, body, code, pointer):
    problem(shared.post("/api/webhooks", body), 400, code, pointer)


@pytest.mark.parametrize("body, code, pointer", [
    ({"indexx": "a"}, "invalid_report_definition", None),
    ({"source": "files"}, "invalid_report_definition", "/source"),
    ({"index": "a b"}, "invalid_report_definition", "/index"),
    ({"fields": []}, "invalid_report_definition", "/fields"),
    ({"fields": [""]}, "invalid_report_definition", "/fields/0"),
    ({"aggregates": [{"function": "median", "field": "a"}]}, "invalid_report_definition", "/aggregates/0/function"),
    ({"aggregates": [{"function": "sum"}]}, "invalid_report_definition", "/aggregates/0"),
    ({"groupBy": ["a"], "fields": ["b"]}, "invalid_report_definition", None),
    ({"groupBy": ["count"], "aggregates": [{"function": "count"}]}, "invalid_report_definition", None),
    ({"source": "tasks", "index": "a"}, "invalid_report_definition", None),
    ([], "invalid_report_definition", None)])
def test_a_refused_definition_names_the_field(shared, body, code, pointer):
    problem(shared.put("/api/report-definitions/mine", body), 400, code, pointer)


def test_other_errors_of_this_door_are_problems_too(shared):
    problem(shared.get("/api/reports/99999"), 404, "report_not_found")
    problem(shared.get("/api/reports/x/download"), 404, "report_not_found")
    problem(shared.put("/api/report-definitions/tasks", {}), 409, "immutable_report_definition")
    problem(shared.get("/api/reports/1/nothing"), 404, "route_not_found")
    not_allowed = shared.put("/api/reports/1", {})
    problem(not_allowed, 405, "method_not_allowed")
    assert not_allowed.headers["Allow"] == "GET, HEAD, DELETE"
    problem(shared.post("/api/reports", "{", headers={"Content-Type": "application/json"}), 400, "malformed_payload")
    problem(shared.post("/api/reports", "x" * 5_000_000, headers={"Content-Type": "application/json"}), 413,
            "payload_too_large")
    problem(shared.get("/api/reports?limit=-1"), 400, "invalid_task_limit")


def test_keys_see_the_reports_of_their_indexes_only(start_server):
    master = {"Authorization": "Bearer master-key-of-16-bytes"}
    server = start_server(*LOOPBACK, "--master-key", "master-key-of-16-bytes")
    problem(server.get("/api/reports"), 401, "missing_authorization_header")
    made = server.post("/keys", {"actions": ["documents.get"], "indexes": ["other"], "expiresAt": None}, headers={
        **master, "Content-Type": "application/json"})
    limited = {"Authorization": "Bearer " + made.json["key"]}
    json_type = {"Content-Type": "application/json"}
    parameters = {"reportType": "documents", "parameters": {"index": "sales"}}
    problem(server.post("/api/reports", parameters, headers={**limited, **json_type}), 403, "invalid_api_key")
    problem(server.post("/api/reports", {"reportType": "tasks"}, headers={**limited, **json_type}), 403, "invalid_api_key")
    task = server.post("/api/reports", parameters, headers={**master, **json_type}).json["taskId"]
    problem(server.get(f"/api/reports/{task}/status", headers=limited), 404, "report_not_found")
    assert server.get("/api/reports", headers=limited).json["results"] == []
    assert server.get("/api/reports", headers=master).json["results"][0]["taskId"] == task
