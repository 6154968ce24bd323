"""Filters and sorting where documents are read, deletion by filter, and a property test against a naive evaluator."""
import json
import random
import unicodedata
import urllib.parse

import pytest

OPERATION = ("Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, `NOT EXISTS`, "
             "`IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, "
             "`NOT STARTS WITH`, `_geoRadius`, `_geoBoundingBox` or `_geoPolygon` at ")


def error(answer):
    return answer.status, answer.json["code"], answer.json["message"]


def fetch(server, index, **body):
    answer = server.post(f"/indexes/{index}/documents/fetch", body)
    assert answer.status == 200, answer
    return answer.json


def ids(server, index, **body):
    return [d["id"] for d in fetch(server, index, **body)["results"]]


def prepare(server, index, documents, **settings):
    server.patch(f"/indexes/{index}/settings", settings)
    server.done(server.post(f"/indexes/{index}/documents?primaryKey=id", documents))


@pytest.fixture(scope="module")
def movies(shared):
    prepare(shared, "movies", [
        {"id": 1, "title": "Carol", "genres": ["Romance", "Drama"], "year": 2015, "who": {"name": "Cate"}},
        {"id": 2, "title": "Wonder Woman", "genres": ["Action"], "year": 2017, "rating": None},
        {"id": 3, "title": "Life of Pi", "genres": ["Drama"], "year": 2012, "rating": 8.1},
        {"id": 4, "title": "mad max", "genres": [], "year": 1979},
        {"id": 5, "title": "Moana", "year": "2016"},
    ], filterableAttributes=["genres", "year", "who", "rating", "title"], sortableAttributes=["year", "title", "who.name"])
    return shared


# --- reading


@pytest.mark.parametrize("filter, expected", [
    ("genres = drama", [1, 3]),
    (["genres = drama", "year < 2015"], [3]),
    ([["genres = drama", "genres = action"], "year > 2014"], [1, 2]),
    ("who.name = CATE", [1]),
    ("rating IS NULL OR rating > 8", [2, 3]),
    ("rating NOT EXISTS AND genres IS NOT EMPTY", [1, 5]),
    ("year 1979 TO 2012", [3, 4]),
    ("title STARTS WITH 'm'", [4, 5]),
    ("year IN [2015, '2016']", [1, 5]),
    ("", [1, 2, 3, 4, 5]),
    ([], [1, 2, 3, 4, 5]),
    (None, [1, 2, 3, 4, 5]),
])
def test_fetch_with_a_filter(movies, filter, expected):
    answer = fetch(movies, "movies", filter=filter)
    assert [d["id"] for d in answer["results"]] == expected
    assert answer["total"] == len(expected)


def test_total_counts_what_matches_and_not_the_page(movies):
    answer = fetch(movies, "movies", filter="year EXISTS", offset=1, limit=2, fields=["id"])
    assert answer == {"results": [{"id": 2}, {"id": 3}], "offset": 1, "limit": 2, "total": 5}
    assert fetch(movies, "movies", filter="year EXISTS", limit=0) == {"results": [], "offset": 0, "limit": 0, "total": 5}


def test_ids_and_filter_are_both_asked_for(movies):
    answer = fetch(movies, "movies", ids=[3, 1, 9, 4], filter="genres = drama", sort=["year:asc"])
    assert [d["id"] for d in answer["results"]] == [3, 1]
    assert answer["total"] == 2


def test_get_takes_a_filter_as_text_or_json(movies):
    def get(value):
        return [d["id"] for d in movies.documents("movies", "?filter=" + urllib.parse.quote(value))]
    assert get("genres = drama") == [1, 3]
    assert get('["genres = drama", ["year = 2012"]]') == [3]
    assert get('"genres = drama"') == [1, 3]


@pytest.mark.parametrize("filter, message", [
    ("hello", OPERATION + "`hello`.\n1:6 hello"),
    ("doggo = bernese", "Attribute `doggo` is not filterable. Available filterable attribute patterns are: `genres`, "
                        "`rating`, `title`, `who`, `year`.\n1:6 doggo = bernese"),
    (True, "Invalid syntax for the filter parameter: `expected String, Array, found: true`."),
    ("_geoRadius(1,2,3)", "Attribute `_geo/_geojson` is not filterable. Available filterable attribute patterns are: "
                          "`genres`, `rating`, `title`, `who`, `year`.\n12:13 _geoRadius(1,2,3)"),
])
def test_wrong_filters_are_refused(movies, filter, message):
    answer = movies.post("/indexes/movies/documents/fetch", {"filter": filter})
    assert error(answer) == (400, "invalid_document_filter", message)
    text = filter if isinstance(filter, str) else json.dumps(filter)
    answer = movies.get("/indexes/movies/documents?filter=" + urllib.parse.quote(text))
    assert error(answer) == (400, "invalid_document_filter", message)


def test_contains_needs_its_feature(start_server):
    server = start_server()
    prepare(server, "m", [{"id": 1, "t": "Hello"}, {"id": 2, "t": "x"}], filterableAttributes=["t"])
    wanted = (400, "feature_not_enabled",
              "Using `CONTAINS` in a filter requires enabling the `contains filter` experimental feature. See "
              "https://github.com/orgs/meilisearch/discussions/763\n3:11 t CONTAINS ELL")
    assert error(server.post("/indexes/m/documents/fetch", {"filter": "t CONTAINS ELL"})) == wanted
    assert error(server.post("/indexes/m/documents/delete", {"filter": "t CONTAINS ELL"})) == wanted
    server.patch("/experimental-features", {"containsFilter": True})
    assert ids(server, "m", filter="t CONTAINS ELL") == [1]
    server.patch("/experimental-features", {"containsFilter": False})
    server.stop()
    server = start_server("--experimental-contains-filter")
    assert ids(server, "m", filter="t CONTAINS ELL") == [1]
    assert server.get("/experimental-features").json["containsFilter"] is True


def test_operators_may_be_taken_away_by_features(server):
    prepare(server, "m", [{"id": 1, "price_eur": 3}],
            filterableAttributes=[{"attributePatterns": ["price_*"], "features": {"filter": {"equality": False, "comparison": True}}}])
    assert ids(server, "m", filter="price_eur > 2") == [1]
    status, code, message = error(server.post("/indexes/m/documents/fetch", {"filter": "price_eur = 3"}))
    assert (status, code) == (400, "invalid_search_filter")
    assert message.startswith("Filter operator `=` is not allowed for the attribute `price_eur`.\n  - Note: allowed ")


# --- sorting


@pytest.mark.parametrize("sort, expected", [
    (["year:asc"], [4, 3, 1, 2, 5]),
    (["year:desc"], [2, 1, 3, 4, 5]),
    (["title:asc"], [1, 3, 4, 5, 2]),
    (["who.name:asc", "year:desc"], [1, 2, 3, 4, 5]),
    ([], [1, 2, 3, 4, 5]),
])
def test_sort(movies, sort, expected):
    assert ids(movies, "movies", sort=sort) == expected
    assert ids(movies, "movies", sort=sort, offset=1, limit=2) == expected[1:3]
    query = "&sort=" + ",".join(sort) if sort else ""
    answer = movies.get("/indexes/movies/documents?fields=id" + query).json
    assert [d["id"] for d in answer["results"]] == expected
    assert answer["total"] == 5


@pytest.mark.parametrize("sort, message", [
    (["name"], "Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, found `name`."),
    (["genres:asc"], "Attribute `genres` is not sortable. Available sortable attributes are: `title, who.name, year`."),
    (["_geoPoint(1,2):asc"], "Attribute `_geo` is not sortable. Available sortable attributes are: `title, who.name, year`."),
])
def test_wrong_sorts_are_refused(movies, sort, message):
    answer = movies.post("/indexes/movies/documents/fetch", {"sort": sort})
    assert error(answer) == (400, "invalid_document_sort", message)


def test_a_sort_is_judged_before_the_index_and_its_attributes_behind_it(shared):
    assert error(shared.post("/indexes/none/documents/fetch", {"sort": ["a"]}))[1] == "invalid_document_sort"
    assert error(shared.post("/indexes/none/documents/fetch", {"sort": ["a:asc"]}))[1] == "index_not_found"


def test_sort_by_distance(server):
    prepare(server, "m", [{"id": i, "_geo": {"lat": 45 + lat, "lng": "9"}} for i, lat in enumerate([0, 2, 1])] + [{"id": 3}],
            sortableAttributes=["_geo"])
    assert ids(server, "m", sort=["_geoPoint(45, 9):asc"]) == [0, 2, 1, 3]
    assert ids(server, "m", sort=["_geoPoint(45, 9):desc"]) == [1, 2, 0, 3]
    listed = server.get("/indexes/m/documents?sort=_geoPoint(45,%209):desc&fields=id").json["results"]
    assert [document["id"] for document in listed] == [1, 2, 0, 3]


def test_sorted_pages_together_are_everything(server):
    n, step = 25000, 9000  # more than one round of ranking keeps
    prepare(server, "m", [{"id": i, "n": i * 7919 % 1000} for i in range(n)], sortableAttributes=["n"])
    expected = sorted(range(n), key=lambda i: (-(i * 7919 % 1000), i))
    found = []
    for offset in range(0, n, step):
        answer = fetch(server, "m", sort=["n:desc"], offset=offset, limit=step, fields=["id"])
        assert answer["total"] == n
        found += [d["id"] for d in answer["results"]]
    assert found == expected
    assert ids(server, "m", sort=["n:desc"], limit=n) == expected


# --- deletion by filter


def test_delete_by_filter_keeps_the_filter_as_it_was_sent(server):
    prepare(server, "m", [{"id": 1, "g": "Horror"}, {"id": 2, "g": "drama"}], filterableAttributes=["g"])
    answer = server.post("/indexes/m/documents/delete?customMetadata=why", {"filter": "g = horror"})
    assert answer.status == 202
    assert answer.json["type"] == "documentDeletion"
    task = server.done(answer)
    assert task["details"] == {"providedIds": 0, "deletedDocuments": 1, "originalFilter": '"g = horror"'}
    assert task["customMetadata"] == "why"
    assert server.documents("m") == [{"id": 2, "g": "drama"}]
    task = server.done(server.post("/indexes/m/documents/delete", {"filter": [["g = x", "g = drama"]]}))
    assert task["details"] == {"providedIds": 0, "deletedDocuments": 1, "originalFilter": '[["g = x","g = drama"]]'}
    assert server.get("/indexes/m/stats").json["numberOfDocuments"] == 0


@pytest.mark.parametrize("body, code, message", [
    ("hello", "bad_request", 'Invalid value type: expected an object, but found a string: `"hello"`'),
    ({"filter": True}, "invalid_document_filter",
     "Invalid syntax for the filter parameter: `expected String, Array, found: true`."),
    ({"filter": None}, "invalid_document_filter",
     "Invalid syntax for the filter parameter: `expected String, Array, found: null`."),
    ({"filter": "hello"}, "invalid_document_filter", OPERATION + "`hello`.\n1:6 hello"),
    ({"filter": ""}, "invalid_document_filter", "Sending an empty filter is forbidden."),
    ({"filter": []}, "invalid_document_filter", "Sending an empty filter is forbidden."),
    ({}, "missing_document_filter", "Missing field `filter`"),
    ({"filters": "a = 1"}, "bad_request", "Unknown field `filters`: did you mean `filter`? expected one of `filter`"),
])
def test_wrong_deletions_are_refused_at_once(shared, body, code, message):
    body = json.dumps(body)
    answer = shared.post("/indexes/any/documents/delete", body, headers={"Content-Type": "application/json"})
    assert error(answer) == (400, code, message)


def test_delete_by_filter_fails_later_for_what_is_not_filterable(server):
    server.done(server.post("/indexes/m/documents", {"id": 1}))
    task = server.wait_task(server.post("/indexes/m/documents/delete", {"filter": "doggo = bernese"}))
    assert task["status"] == "failed"
    assert task["details"] == {"providedIds": 0, "deletedDocuments": 0, "originalFilter": '"doggo = bernese"'}
    assert task["error"]["code"] == "invalid_document_filter"
    assert task["error"]["message"] == ("Index `m`: Attribute `doggo` is not filterable. This index does not have "
                                        "configured filterable attributes.\n1:6 doggo = bernese")


def test_a_long_filter_does_not_hold_other_requests(server):
    documents = [{"id": i, "n": i, "t": "x" * 100} for i in range(30000)]
    prepare(server, "m", documents, filterableAttributes=["n", "t"])
    answer = server.post("/indexes/m/documents/delete", {"filter": "n >= 15000 AND t STARTS WITH x"})
    assert server.get("/health").status == 200
    assert server.done(answer)["details"]["deletedDocuments"] == 15000
    assert fetch(server, "m", filter="n >= 0", limit=1, fields=["id"])["total"] == 15000


# --- metadata on every document route


def test_custom_metadata_is_in_tasks_and_webhook_lines_of_every_document_route(hooked, receiver):
    hooked.done(hooked.put("/indexes/m/settings/filterable-attributes", ["id"]))
    receiver.next()
    answers = [hooked.post("/indexes/m/documents?customMetadata=a", [{"id": 1}]),
               hooked.put("/indexes/m/documents?customMetadata=b", [{"id": 2}]),
               hooked.delete("/indexes/m/documents/1?customMetadata=c"),
               hooked.post("/indexes/m/documents/delete-batch?customMetadata=d", [1]),
               hooked.post("/indexes/m/documents/delete?customMetadata=e", {"filter": "id = 9"}),
               hooked.delete("/indexes/m/documents?customMetadata=f")]
    assert [list(a.json)[-1] for a in answers] == ["customMetadata"] * 6
    uids = [a.json["taskUid"] for a in answers]
    assert [hooked.done(a)["customMetadata"] for a in answers] == list("abcdef")
    lines = receiver.wait_for_tasks(uids)
    assert [lines[uid]["customMetadata"] for uid in uids] == list("abcdef")


# --- property: the server and a naive evaluator agree

WORDS = ["red", "RED", "Blue", "blue moon", "été", "ÉTÉ", "", "10", "2", "true", "x'y", 'a"b', "back\\slash", "ﬁn", "fin"]
NUMBERS = [0, 1, 2, 10, -3, 2.5, 1e3, 18446744073709551615, 123456789012345678901234567890]


def fold(text):
    return unicodedata.normalize("NFKD", text.strip()).lower().replace("ς", "σ")


def random_scalar(rng):
    return rng.choice([rng.choice(WORDS), rng.choice(NUMBERS), rng.choice([True, False]), None])


def random_value(rng, depth=0):
    kind = rng.random()
    if depth < 2 and kind < 0.15:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if depth < 2 and kind < 0.3:
        return {name: random_value(rng, depth + 1) for name in rng.sample("abc", rng.randrange(3))}
    return random_scalar(rng)


def leaves(value, path, in_array=False):
    """Every (value, in an array) that the path leads to."""
    found = []
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == path:
                found += spread(inner, False)
            elif path.startswith(key + "."):
                found += leaves(inner, path[len(key) + 1:])
    elif isinstance(value, list):
        for inner in value:
            found += leaves(inner, path)
    return found


def spread(value, in_array):
    found = [(value, in_array)]
    if isinstance(value, list):
        for inner in value:
            found += spread(inner, True)
    return found


def text_of(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return fold(value) if isinstance(value, str) and value else None


def number_of(value):
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def as_number(text):
    try:
        return float(text) if text == text.strip() and "_" not in text else None
    except ValueError:
        return None


COMPARE = {"=": lambda a, b: a == b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
           ">=": lambda a, b: a >= b}


def compares(value, sign, text):
    number = number_of(value)
    if number is not None:
        return as_number(text) is not None and COMPARE[sign](number, as_number(text))
    own = text_of(value)
    return own is not None and COMPARE[sign](own.encode(), fold(text).encode())


def evaluate(node, document):
    kind, *args = node
    if kind == "and":
        return all(evaluate(n, document) for n in args)
    if kind == "or":
        return any(evaluate(n, document) for n in args)
    if kind == "not":
        return not evaluate(args[0], document)
    found = leaves(document, args[0])
    if kind == "exists":
        return bool(found)
    if kind == "null":
        return any(v is None and not inside for v, inside in found)
    if kind == "empty":
        return any(v in ("", [], {}) and not inside for v, inside in found)
    if kind == "in":
        return any(compares(v, "=", text) for v, _ in found for text in args[1])
    if kind == "to":
        low, high = args[1], args[2]
        return any((number_of(v) is not None and as_number(low) is not None and as_number(high) is not None and
                    as_number(low) <= number_of(v) <= as_number(high)) or
                   (number_of(v) is None and compares(v, ">=", low) and compares(v, "<=", high)) for v, _ in found)
    if kind == "starts":
        return any(text_of(v) is not None and text_of(v).startswith(fold(args[1])) for v, _ in found) or (
            bool(found) and fold(args[1]) == "")
    if kind == "!=":
        return not any(compares(v, "=", args[1]) for v, _ in found)
    return any(compares(v, kind, args[1]) for v, _ in found)


def quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def random_operand(rng):
    return rng.choice([rng.choice(WORDS), str(rng.choice(NUMBERS))])


def random_filter(rng, depth=0):
    kind = rng.random()
    if depth < 3 and kind < 0.35:
        parts = [random_filter(rng, depth + 1) for _ in range(rng.randrange(2, 4))]
        return (rng.choice(["and", "or"]), *parts)
    if depth < 3 and kind < 0.45:
        return ("not", random_filter(rng, depth + 1))
    path = rng.choice(["a", "b", "c", "a.b", "b.c", "a.b.c", "a.a"])
    kind = rng.choice(["=", "!=", "<", "<=", ">", ">=", "in", "to", "exists", "null", "empty", "starts"])
    if kind == "in":
        return (kind, path, [random_operand(rng) for _ in range(rng.randrange(4))])
    if kind == "to":
        return (kind, path, random_operand(rng), random_operand(rng))
    return (kind, path) if kind in ("exists", "null", "empty") else (kind, path, random_operand(rng))


def write(node):
    kind, *args = node
    if kind in ("and", "or"):
        return "(" + f" {kind.upper()} ".join(write(n) for n in args) + ")"
    if kind == "not":
        return f"NOT {write(args[0])}"
    words = {"exists": "EXISTS", "null": "IS NULL", "empty": "IS EMPTY"}
    if kind in words:
        return f"{args[0]} {words[kind]}"
    if kind == "in":
        return f"{args[0]} IN [{', '.join(map(quote, args[1]))}]"
    if kind == "to":
        return f"{args[0]} {quote(args[1])} TO {quote(args[2])}"
    return f"{args[0]} {'STARTS WITH' if kind == 'starts' else kind} {quote(args[1])}"


def test_random_filters_agree_with_a_naive_evaluator(server):
    rng = random.Random(20260)
    documents = [{"id": i, **{name: random_value(rng) for name in rng.sample("abc", rng.randrange(4))}}
                 for i in range(300)]
    prepare(server, "m", documents, filterableAttributes=["a", "b", "c"])
    for _ in range(300):
        node = random_filter(rng)
        expected = [d["id"] for d in documents if evaluate(node, d)]
        answer = fetch(server, "m", filter=write(node), limit=1000, fields=["id"])
        assert [d["id"] for d in answer["results"]] == expected, write(node)
        assert answer["total"] == len(expected)
    node = random_filter(rng)
    gone = sum(evaluate(node, d) for d in documents)
    task = server.done(server.post("/indexes/m/documents/delete", {"filter": write(node)}))
    assert task["details"]["deletedDocuments"] == gone
