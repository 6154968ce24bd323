"""/indexes/{uid}/documents: formats, ids, merging, reading, deleting, and every synchronous error."""
import gzip
import http.client
import io
import json
import socket
import zlib

import pytest

from conftest import wait_until

ID_RULE = ("is invalid. A document identifier can be of type integer or string, only composed of alphanumeric characters "
           "(a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes.")
NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}
JSON = {"Content-Type": "application/json"}


def error(answer):
    body = answer.json
    return answer.status, body["code"], body["message"]


# --- adding


def test_one_object_is_one_document(server):
    answer = server.post("/indexes/movies/documents", {"id": 1, "title": "Carol"})
    assert answer.status == 202
    assert list(answer.json) == ["taskUid", "indexUid", "status", "type", "enqueuedAt"]
    assert server.done(answer)["details"] == {"receivedDocuments": 1, "indexedDocuments": 1}
    assert server.documents("movies") == [{"id": 1, "title": "Carol"}]


def test_json_ndjson_and_csv_give_the_same_documents(server):
    documents = [{"id": "a", "n": 1}, {"id": "b", "n": 2.5}]
    lines = "\n\n".join(json.dumps(d) for d in documents) + "\n"
    server.done(server.post("/indexes/json/documents", documents))
    server.done(server.post("/indexes/ndjson/documents", lines, headers=NDJSON))
    server.done(server.post("/indexes/csv/documents", "id,n:number\na,1\nb,2.5\n", headers=CSV))
    assert server.documents("json") == server.documents("ndjson") == server.documents("csv") == documents


def test_csv_types_and_delimiter(server):
    text = "id:number;name;alive:boolean;score:number\n1;\"semi;colon\";true;1.5\n2;;false;\n"
    server.done(server.post("/indexes/csv/documents?csvDelimiter=;", text, headers=CSV))
    assert server.documents("csv") == [{"id": 1, "name": "semi;colon", "alive": True, "score": 1.5},
                                       {"id": 2, "name": None, "alive": False, "score": None}]


@pytest.mark.parametrize("encoding, pack", [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_payloads(server, encoding, pack):
    body = pack(json.dumps([{"id": i, "text": "x" * 100} for i in range(1000)]).encode())
    headers = {**JSON, "Content-Encoding": encoding}
    assert server.done(server.post("/indexes/a/documents", body, headers=headers))["details"]["indexedDocuments"] == 1000


def test_a_document_comes_back_as_it_was(server):
    text = ('{"id":"x","z":1.10,"a":99999999999999999999,"e":1e3,"neg":-0.0,"s":"Zoë \\u0000 🎬","deep":{"b":[1,{"c":null}],'
            '"a":{}},"big":12345678901234567890123.456}')
    server.done(server.post("/indexes/a/documents", text, headers=JSON))
    found = server.get("/indexes/a/documents/x").body.decode()
    plain = json.loads(text, parse_float=str, parse_int=str)
    again = json.loads(found, parse_float=str, parse_int=str)
    assert again == plain and list(again) == list(plain)


def test_post_replaces_and_put_merges(server):
    server.done(server.post("/indexes/a/documents", [{"id": 1, "a": 1, "b": {"x": 1}}]))
    server.done(server.put("/indexes/a/documents", [{"id": 1, "b": {"y": 2}, "c": 3}]))
    assert server.documents("a") == [{"id": 1, "a": 1, "b": {"y": 2}, "c": 3}]
    server.done(server.post("/indexes/a/documents", [{"id": 1, "d": 4}]))
    assert server.documents("a") == [{"id": 1, "d": 4}]


def test_later_duplicates_of_a_payload_win(server):
    task = server.done(server.post("/indexes/a/documents", [{"id": 1, "v": 1}, {"id": 1, "v": 2}]))
    assert task["details"] == {"receivedDocuments": 2, "indexedDocuments": 1}
    assert server.documents("a") == [{"id": 1, "v": 2}]


def test_numbers_and_strings_are_the_same_id(server):
    server.done(server.post("/indexes/a/documents", [{"id": 1, "v": "number"}]))
    server.done(server.post("/indexes/a/documents", [{"id": "1", "v": "string"}]))
    assert server.documents("a") == [{"id": "1", "v": "string"}]


def test_skip_creation_only_changes_known_documents(server):
    server.done(server.post("/indexes/a/documents", [{"id": 1, "v": 1}]))
    server.done(server.put("/indexes/a/documents?skipCreation=True", [{"id": 1, "v": 2}, {"id": 2, "v": 2}]))
    assert server.documents("a") == [{"id": 1, "v": 2}]


def test_an_empty_array_is_a_task_with_nothing_to_do(server):
    task = server.done(server.post("/indexes/a/documents", []))
    assert task["details"] == {"receivedDocuments": 0, "indexedDocuments": 0}


def test_custom_metadata_is_echoed(server):
    answer = server.post("/indexes/a/documents?customMetadata=my%20job", [{"id": 1}])
    assert answer.json["customMetadata"] == "my job"
    assert server.done(answer)["customMetadata"] == "my job"


def test_primary_key_is_given_or_inferred(server):
    server.done(server.post("/indexes/given/documents?primaryKey=sku", [{"sku": "a", "id": 7}]))
    assert server.get("/indexes/given").json["primaryKey"] == "sku"
    server.done(server.post("/indexes/inferred/documents", [{"movieId": 1}]))
    assert server.get("/indexes/inferred").json["primaryKey"] == "movieId"


@pytest.mark.parametrize("documents, query, code, message", [
    ([{"a": 1}], "", "index_primary_key_no_candidate_found",
     "The primary key inference failed as the engine did not find any field ending with `id` in its name. Please specify "
     "the primary key manually using the `primaryKey` query parameter."),
    ([{"id": 1, "bid": 2}], "", "index_primary_key_multiple_candidates_found",
     "The primary key inference failed as the engine found 2 fields ending with `id` in their names: 'bid' and 'id'. "
     "Please specify the primary key manually using the `primaryKey` query parameter."),
    ([{"id": 1}, {"x": 1}], "", "missing_document_id", "Document doesn't have a `id` attribute: `{\"x\":1}`."),
    ([{"id": "foo & bar"}], "", "invalid_document_id", 'Document identifier `"foo & bar"` ' + ID_RULE),
    ([{"id": 1.5}], "", "invalid_document_id", "Document identifier `1.5` " + ID_RULE),
    ([{"id": "a" * 512}], "", "invalid_document_id", f'Document identifier `"{"a" * 512}"` ' + ID_RULE),
    ([{"id": None}], "?primaryKey=id", "invalid_document_id", "Document identifier `null` " + ID_RULE),
])
def test_bad_documents_fail_their_task(server, documents, query, code, message):
    task = server.wait_task(server.post("/indexes/a/documents" + query, documents))
    assert task["status"] == "failed"
    assert (task["error"]["code"], task["error"]["message"]) == (code, message)
    assert task["details"]["indexedDocuments"] == 0


def test_another_primary_key_fails(server):
    server.done(server.post("/indexes/a/documents", [{"id": 1}]))
    task = server.wait_task(server.post("/indexes/a/documents?primaryKey=other", [{"other": 1}]))
    assert task["error"]["code"] == "index_primary_key_already_exists"
    assert task["error"]["message"] == "Index already has a primary key: `id`."


# --- what is refused at once


@pytest.mark.parametrize("headers, body, message", [
    (JSON, "", "A json payload is missing."),
    (NDJSON, "", "A ndjson payload is missing."),
    (CSV, "", "A csv payload is missing."),
])
def test_missing_payloads(shared, headers, body, message):
    assert error(shared.post("/indexes/a/documents", body, headers=headers)) == (400, "missing_payload", message)


@pytest.mark.parametrize("headers, body, why", [
    (JSON, '[{"id": 1}, {"id":]', "The `json` payload provided is malformed. `Couldn't serialize document value: "
                                  "expected value at line 1 column 19`."),
    (JSON, "{", "The `json` payload provided is malformed. `Couldn't serialize document value: EOF while parsing an object "
                "at line 1 column 1`."),
    (NDJSON, '{"id": 1}\n{"a" 1}', "The `ndjson` payload provided is malformed. `Couldn't serialize document value: "
                                   "expected `:` at line 2 column 6`."),
    (CSV, "id,n:number\n1,doggo", "The `csv` payload provided is malformed: `Error parsing number \"doggo\" at line 1: "
                                  "invalid float literal`."),
    (CSV, "id,b:boolean\n1,doggo", "The `csv` payload provided is malformed: `Error parsing boolean \"doggo\" at line 1: "
                                   "provided string was not `true` or `false``."),
    (CSV, "a,b\n1,2,3\n", "The `csv` payload provided is malformed: `CSV error: record 1 (line: 2, byte: 4): found record "
                          "with 3 fields, but the previous record has 2 fields`."),
])
def test_malformed_payloads(shared, headers, body, why):
    assert error(shared.post("/indexes/a/documents", body, headers=headers)) == (400, "malformed_payload", why)


def test_a_scalar_is_no_document(shared):
    for body in ('"doggo"', "3", "null"):
        answer = shared.post("/indexes/a/documents", body, headers=JSON)
        assert answer.status == 400 and answer.json["code"] == "malformed_payload"


ACCEPTED = "Accepted values for the Content-Type header are: `application/json`, `application/x-ndjson`, `text/csv`"


def test_content_types(shared):
    assert error(shared.post("/indexes/a/documents", "[]")) == (
        415, "missing_content_type", "A Content-Type header is missing. " + ACCEPTED)
    assert error(shared.post("/indexes/a/documents", "[]", headers={"Content-Type": "Text/Doggo; x=1"})) == (
        415, "invalid_content_type", "The Content-Type `text/doggo` is invalid. " + ACCEPTED)
    assert error(shared.post("/indexes/a/documents", "[]", headers={"Content-Type": "json"})) == (
        415, "invalid_content_type", "The Content-Type `json` is invalid. " + ACCEPTED)
    assert shared.post("/indexes/ok/documents", "[]",
                       headers={"Content-Type": "application/json; charset=utf-8"}).status == 202


@pytest.mark.parametrize("query, status, code, message", [
    ("csvDelimiter=", 400, "invalid_document_csv_delimiter",
     "Invalid value in parameter `csvDelimiter`: expected a string of one character, but found an empty string"),
    ("csvDelimiter=doggo", 400, "invalid_document_csv_delimiter",
     "Invalid value in parameter `csvDelimiter`: expected a string of one character, but found the following string of 5 "
     "characters: `doggo`"),
    ("csvDelimiter=%F0%9F%8D%B0", 400, "invalid_document_csv_delimiter",
     "csv delimiter must be an ascii character. Found: `🍰`"),
    ("csvDelimiter=;", 415, "invalid_content_type",
     "The Content-Type `application/json` does not support the use of a csv delimiter. The csv delimiter can only be used "
     "with the Content-Type `text/csv`."),
    ("skipCreation=yes", 400, "invalid_skip_creation", "skipCreation must be either `true` or `false`. Found: `yes`"),
    ("primarykey=x", 400, "bad_request",
     "Unknown parameter `primarykey`: did you mean `primaryKey`? expected one of `primaryKey`, `csvDelimiter`, "
     "`customMetadata`, `skipCreation`"),
])
def test_bad_parameters_of_an_upload(shared, query, status, code, message):
    assert error(shared.post(f"/indexes/a/documents?{query}", "[]", headers=JSON)) == (status, code, message)


def test_order_of_checks(shared):
    """Query, then index uid, then content type, then body."""
    assert shared.post("/indexes/a%20b/documents?doggo=1", "{").json["code"] == "bad_request"
    assert shared.post("/indexes/a%20b/documents", "{").json["code"] == "invalid_index_uid"
    assert shared.post("/indexes/a/documents", "{").json["code"] == "missing_content_type"
    assert shared.post("/indexes/a/documents", "{", headers=JSON).json["code"] == "malformed_payload"


def test_corrupt_compression(shared):
    packed = gzip.compress(b'[{"id":1}]')
    for body in (packed[:-12], b"no gzip at all"):
        answer = shared.post("/indexes/a/documents", body, headers={**JSON, "Content-Encoding": "gzip"})
        assert answer.status == 400, answer
        assert answer.json["code"] in ("bad_request", "malformed_payload")


def test_an_unknown_encoding_is_refused(shared):
    answer = shared.post("/indexes/a/documents", b"x", headers={**JSON, "Content-Encoding": "br"})
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


def test_payload_limit_counts_decompressed_bytes(start_server):
    server = start_server("--http-payload-size-limit", "1000 B")
    message = "The provided payload reached the size limit. The maximum accepted payload size is 1 KB."
    fits = json.dumps([{"id": 1, "t": "x" * (1000 - 22)}]).encode()
    assert len(fits) <= 1000
    assert server.post("/indexes/a/documents", fits, headers=JSON).status == 202
    large = json.dumps([{"id": 1, "t": "x" * 1000}]).encode()
    assert error(server.post("/indexes/a/documents", large, headers=JSON)) == (413, "payload_too_large", message)
    packed = {**JSON, "Content-Encoding": "gzip"}
    assert error(server.post("/indexes/a/documents", gzip.compress(large), headers=packed)) == (
        413, "payload_too_large", message)
    assert server.get("/tasks").json["total"] == 1


# --- reading


@pytest.fixture(scope="module")
def read(shared):
    shared.done(shared.post("/indexes/read/documents?primaryKey=id", [
        {"id": i, "title": f"t{i}", "deep": {"a": i, "b": i}} for i in range(30)]))
    return shared


def test_list_shape_and_defaults(read):
    page = read.get("/indexes/read/documents").json
    assert list(page) == ["results", "offset", "limit", "total"]
    assert (page["offset"], page["limit"], page["total"]) == (0, 20, 30)
    assert [d["id"] for d in page["results"]] == list(range(20))


def test_list_pages(read):
    page = read.get("/indexes/read/documents?offset=28&limit=10").json
    assert [d["id"] for d in page["results"]] == [28, 29]
    assert read.get("/indexes/read/documents?offset=99").json["results"] == []
    assert read.get("/indexes/read/documents?limit=0").json == {"results": [], "offset": 0, "limit": 0, "total": 30}


def test_fields_select_in_document_order(read):
    assert read.documents("read", "?limit=1&fields=deep.a,id,nothing") == [{"id": 0, "deep": {"a": 0}}]
    assert read.documents("read", "?limit=1&fields=*") == [{"id": 0, "title": "t0", "deep": {"a": 0, "b": 0}}]
    assert read.documents("read", "?limit=1&fields=nothing") == [{}]
    assert read.get("/indexes/read/documents/3?fields=title").json == {"title": "t3"}


def test_ids_select_documents(read):
    page = read.get("/indexes/read/documents?ids=3,99,1,3&limit=1").json
    assert (len(page["results"]), page["total"]) == (1, 2)
    found = read.documents("read", "?ids=3,99,1,3")
    assert sorted(d["id"] for d in found) == [1, 3]


def test_ids_come_in_internal_order(read):
    assert [d["id"] for d in read.documents("read", "?ids=25,3,10")] == [3, 10, 25]


def test_fetch_is_the_same_with_a_body(read):
    page = read.post("/indexes/read/documents/fetch", {"offset": 1, "limit": 2, "fields": ["id"]}).json
    assert page == {"results": [{"id": 1}, {"id": 2}], "offset": 1, "limit": 2, "total": 30}
    page = read.post("/indexes/read/documents/fetch", {"ids": [4, "5"], "fields": ["id"]}).json
    assert sorted(d["id"] for d in page["results"]) == [4, 5]
    assert read.post("/indexes/read/documents/fetch", {}).json["total"] == 30


def test_vectors_are_hidden_unless_asked_for(server):
    server.done(server.post("/indexes/v/documents", [{"id": 1, "_vectors": {"m": [1.0]}, "t": "_vectors"}]))
    assert server.documents("v") == [{"id": 1, "t": "_vectors"}]
    assert server.get("/indexes/v/documents/1").json == {"id": 1, "t": "_vectors"}
    assert server.get("/indexes/v/documents/1?retrieveVectors=true").json["_vectors"] == {"m": [1.0]}


def test_a_long_listing_comes_whole(server):
    documents = [{"id": i, "text": "x" * 300} for i in range(5000)]
    server.done(server.post("/indexes/long/documents", documents))
    page = server.get("/indexes/long/documents?limit=5000").json
    assert page["results"] == documents and page["total"] == 5000
    assert server.documents("long", "?offset=4990&limit=100") == documents[4990:]


def test_not_found(read):
    assert error(read.get("/indexes/read/documents/99")) == (404, "document_not_found", "Document `99` not found.")
    assert error(read.get("/indexes/none/documents/1")) == (404, "index_not_found", "Index `none` not found.")
    assert error(read.get("/indexes/none/documents")) == (404, "index_not_found", "Index `none` not found.")


NOT_FILTERABLE = "is not filterable. This index does not have configured filterable attributes."


@pytest.mark.parametrize("query, code, message", [
    ("limit=x", "invalid_document_limit",
     "Invalid value in parameter `limit`: could not parse `x` as a positive integer"),
    ("offset=-1", "invalid_document_offset",
     "Invalid value in parameter `offset`: could not parse `-1` as a positive integer"),
    ("retrieveVectors=yes", "invalid_document_retrieve_vectors",
     "Invalid value in parameter `retrieveVectors`: could not parse `yes` as a boolean, expected either `true` or `false`"),
    ("ids=1,illegal/docid", "invalid_document_ids", 'In `.ids[1]`: Document identifier `"illegal/docid"` ' + ID_RULE),
    ("filter=doggo%20=%20bernese", "invalid_document_filter",
     f"Attribute `doggo` {NOT_FILTERABLE}\n1:6 doggo = bernese"),
    ("sort=name:asc", "invalid_document_sort",
     "Attribute `name` is not sortable. This index does not have configured sortable attributes."),
    ("page=1", "bad_request",
     "Unknown parameter `page`: expected one of `offset`, `limit`, `fields`, `retrieveVectors`, `ids`, `filter`, `sort`, "
     "`useNetwork`"),
])
def test_bad_parameters_of_reading(read, query, code, message):
    assert error(read.get(f"/indexes/read/documents?{query}")) == (400, code, message)


@pytest.mark.parametrize("body, code, message", [
    ({"limit": "1"}, "invalid_document_limit",
     'Invalid value type at `.limit`: expected a positive integer, but found a string: `"1"`'),
    ({"fields": "id"}, "invalid_document_fields",
     'Invalid value type at `.fields`: expected an array, but found a string: `"id"`'),
    ({"filter": True}, "invalid_document_filter",
     "Invalid syntax for the filter parameter: `expected String, Array, found: true`."),
])
def test_bad_bodies_of_fetch(read, body, code, message):
    assert error(read.post("/indexes/read/documents/fetch", body)) == (400, code, message)


# --- deleting


@pytest.fixture
def five(server):
    server.done(server.post("/indexes/a/documents", [{"id": i} for i in range(5)]))
    return server


def test_delete_one(five):
    task = five.done(five.delete("/indexes/a/documents/3"))
    assert task["type"] == "documentDeletion"
    assert task["details"] == {"providedIds": 1, "deletedDocuments": 1, "originalFilter": None}
    assert [d["id"] for d in five.documents("a")] == [0, 1, 2, 4]


def test_delete_batch(five):
    task = five.done(five.post("/indexes/a/documents/delete-batch", [1, "2", 77, 1, {"no": "id"}]))
    assert task["details"] == {"providedIds": 5, "deletedDocuments": 2, "originalFilter": None}
    assert [d["id"] for d in five.documents("a")] == [0, 3, 4]


def test_delete_all_keeps_the_index(five):
    task = five.done(five.delete("/indexes/a/documents"))
    assert task["details"] == {"deletedDocuments": 5}
    assert five.documents("a") == []
    assert five.get("/indexes/a").json["primaryKey"] == "id"


def test_deleting_from_an_unknown_index_fails(server):
    task = server.wait_task(server.delete("/indexes/none/documents/1"))
    assert task["error"]["message"] == "Index `none` not found."


def test_delete_batch_judges_its_body_first(shared):
    path = "/indexes/a%20b/documents/delete-batch?doggo=1"
    assert shared.post(path, "[1]").json["code"] == "missing_content_type"
    assert shared.post(path, "[1", headers=JSON).json["code"] == "malformed_payload"
    assert shared.post(path, "[1]", headers=JSON).json["code"] == "bad_request"
    assert shared.post(path.split("?")[0], "[1]", headers=JSON).json["code"] == "invalid_index_uid"


def test_delete_batch_wants_an_array(shared):
    assert error(shared.post("/indexes/a/documents/delete-batch", '"doggo"', headers=JSON)) == (
        400, "bad_request",
        'Json deserialize error: invalid type: string "doggo", expected a sequence at line 1 column 7')


def test_delete_batch_takes_only_json(shared):
    assert error(shared.post("/indexes/a/documents/delete-batch", "1", headers=CSV)) == (
        415, "invalid_content_type",
        "The Content-Type `text/csv` is invalid. Accepted values for the Content-Type header are: `application/json`")


# --- where large batches go


def test_overwriting_the_same_documents_gives_their_space_back(server):
    """50 MB go in, 2 MB are alive: the files of garbage are emptied and removed while it goes on."""
    for version in range(25):
        documents = [{"id": n, "version": version, "pad": "p" * 1000} for n in range(2000)]
        task = server.done(server.post("/indexes/same/documents", documents))
        assert task["details"]["indexedDocuments"] == 2000
        assert server.get("/stats").json["databaseSize"] < 30_000_000
    assert {d["version"] for d in server.documents("same", "?limit=2000")} == {24}


def test_sizes_tell_of_documents_that_are_not_in_the_database_file(server):
    documents = [{"id": n, "pad": "p" * 1000} for n in range(3000)]
    server.done(server.post("/indexes/large/documents", documents))
    assert server.get("/stats").json["databaseSize"] > 3_000_000
    stats = server.get("/indexes/large/stats").json
    assert stats["rawDocumentDbSize"] > 3_000_000
    assert stats["avgDocumentSize"] > 1000


# --- a listing is one state


def begin_listing(server, path):
    """A request whose answer is larger than what buffers hold, and the beginning of that answer."""
    connection = socket.create_connection(("127.0.0.1", server.port), 30)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return connection, connection.recv(1000)


def end_listing(connection, said):
    pieces = [said]
    while more := connection.recv(1 << 20):
        pieces.append(more)
    connection.close()
    answer = http.client.HTTPResponse(Said(b"".join(pieces)))
    answer.begin()
    return json.loads(answer.read())


class Said:
    """What http.client wants of a socket."""

    def __init__(self, said):
        self.said = said

    def makefile(self, *_):
        return io.BytesIO(self.said)


def versions(n, version):
    return "\n".join(f'{{"id":{i},"v":{version},"pad":"{"x" * 300}"}}' for i in range(n))


@pytest.mark.parametrize("query", ["", "&filter=v%20%3E%3D%200", "&sort=id:desc"])
def test_a_listing_shows_one_state_while_batches_change_the_index(server, query):
    n = 60000
    server.done(server.patch("/indexes/a/settings", {"filterableAttributes": ["v"], "sortableAttributes": ["id"]}))
    server.done(server.post("/indexes/a/documents", versions(n, 0), headers=NDJSON))
    connection, said = begin_listing(server, f"/indexes/a/documents?limit={n}{query}")
    server.done(server.post("/indexes/a/documents", versions(n, 1), headers=NDJSON))
    server.done(server.post("/indexes/a/documents/delete-batch", list(range(0, n, 2))))
    listing = end_listing(connection, said)
    assert listing["total"] == len(listing["results"]) == n
    assert {d["v"] for d in listing["results"]} == {0}
    assert {d["v"] for d in server.documents("a", "?limit=10")} == {1}


def test_a_listing_goes_on_when_its_index_is_deleted(server):
    n = 60000
    server.done(server.post("/indexes/a/documents", versions(n, 0), headers=NDJSON))
    connection, said = begin_listing(server, f"/indexes/a/documents?limit={n}")
    server.done(server.delete("/indexes/a"))
    assert server.get("/indexes/a/documents").status == 404
    assert len(end_listing(connection, said)["results"]) == n


def test_a_listing_goes_on_when_its_index_is_cleared_and_compacted(server):
    n = 60000
    server.done(server.post("/indexes/a/documents", versions(n, 0), headers=NDJSON))
    connection, said = begin_listing(server, f"/indexes/a/documents?limit={n}")
    server.done(server.delete("/indexes/a/documents"))
    compaction = server.post("/indexes/a/compact")
    assert len(end_listing(connection, said)["results"]) == n
    server.done(compaction)
    wait_until(lambda: not list((server.db_path / "indexes").glob("*/segment-*")), "its files stay")


def test_what_a_slow_client_holds_is_given_back(server):
    n = 60000
    server.done(server.post("/indexes/a/documents", versions(n, 0), headers=NDJSON))
    connection, _ = begin_listing(server, f"/indexes/a/documents?limit={n}")
    server.done(server.delete("/indexes/a/documents"))
    assert list((server.db_path / "indexes").glob("*/segment-*"))
    wait_until(lambda: not list((server.db_path / "indexes").glob("*/segment-*")), "its files stay")
    connection.close()
