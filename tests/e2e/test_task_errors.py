"""What the parameters of the task and batch routes complain of: every message and code, on every route that reads them."""
import pytest

from conftest import LOOPBACK

DATES = [f"{bound}{what}At" for what in ("Enqueued", "Started", "Finished") for bound in ("after", "before")]
FILTERS = ["batchUids", "uids", "canceledBy", "types", "statuses", "indexUids", *DATES]
LISTED = ["limit", "from", "reverse", *FILTERS]
CHANGED = ["uids", "batchUids", "canceledBy", "types", "statuses", "indexUids", *DATES]
LISTINGS = [("GET", "/tasks"), ("GET", "/batches")]
CHANGES = [("POST", "/tasks/cancel"), ("DELETE", "/tasks")]
STREAM = [("GET", "/tasks/stream")]

CODES = {"limit": "invalid_task_limit", "from": "invalid_task_from", "reverse": "invalid_task_reverse",
         "batchUids": "invalid_batch_uids", "uids": "invalid_task_uids", "canceledBy": "invalid_task_canceled_by",
         "types": "invalid_task_types", "statuses": "invalid_task_statuses", "indexUids": "invalid_index_uid",
         "afterEnqueuedAt": "invalid_task_after_enqueued_at", "beforeEnqueuedAt": "invalid_task_before_enqueued_at",
         "afterStartedAt": "invalid_task_after_started_at", "beforeStartedAt": "invalid_task_before_started_at",
         "afterFinishedAt": "invalid_task_after_finished_at", "beforeFinishedAt": "invalid_task_before_finished_at"}
INTEGER = "could not parse `{}` as a positive integer"
TYPES = ["documentAdditionOrUpdate", "documentEdition", "documentDeletion", "settingsUpdate", "indexCreation", "indexDeletion",
         "indexUpdate", "indexSwap", "taskCancelation", "taskDeletion", "dumpCreation", "snapshotCreation", "export",
         "upgradeDatabase", "indexCompaction", "networkTopologyChange", "dsrUpdate", "dsrClear"]
WHY = {"limit": INTEGER, "from": INTEGER, "batchUids": INTEGER, "uids": INTEGER, "canceledBy": INTEGER,
       "reverse": "could not parse `{}` as a boolean, expected either `true` or `false`",
       "types": "`{}` is not a valid task type. Available types are " + ", ".join(f"`{t}`" for t in TYPES) + ".",
       "statuses": "`{}` is not a valid task status. Available statuses are `enqueued`, `processing`, `succeeded`, `failed`, "
                   "`canceled`.",
       "indexUids": "`{}` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric "
                    "characters, hyphens (-) and underscores (_), and can not be more than 512 bytes.",
       **{date: "`{}` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 date-time format." for date in DATES}}
BAD = {**{name: ["doggo", "-1", "", "1.0", "4294967296"] for name in ("limit", "from", "batchUids", "uids", "canceledBy")},
       "reverse": ["doggo", "True", "1", ""], "types": ["doggo", "", "indexCreations"], "statuses": ["doggo", "", "enqueue"],
       "indexUids": ["the good doggo", "", "a" * 401],
       **{date: ["pied", "", "2024-02-30", "2024-01-01 10:00:00Z", "2024-01-01T10:00:00"] for date in DATES}}


@pytest.fixture(scope="module")
def said(shared):
    """said(route, query): (status, code, type, message)."""
    def ask(route, query):
        method, path = route
        answer = shared.request(method, f"{path}?{query}")
        return answer.status, answer.json["code"], answer.json["type"], answer.json["message"]

    return ask


def refused(code, message):
    return 400, code, "invalid_request", message


@pytest.mark.parametrize("name", LISTED)
def test_a_bad_value_is_told_in_upstreams_words(said, name):
    routes = LISTINGS + (CHANGES + STREAM if name in FILTERS else [])
    for route in routes:
        for value in BAD[name]:
            expected = refused(CODES[name], f"Invalid value in parameter `{name}`: {WHY[name].format(value)}")
            assert said(route, f"{name}={value.replace(' ', '%20')}") == expected, (route, value)


@pytest.mark.parametrize("name", ["batchUids", "uids", "canceledBy", "types", "statuses", "indexUids"])
def test_a_list_names_its_bad_element_even_beside_a_star(said, name):
    for route in LISTINGS + CHANGES + STREAM:
        for query, at in (("*,a%20b", 1), ("a%20b,*", 0)):
            expected = refused(CODES[name], f"Invalid value in parameter `{name}[{at}]`: {WHY[name].format('a b')}")
            assert said(route, f"{name}={query}") == expected, (route, query)


@pytest.mark.parametrize("routes, names", [(LISTINGS, LISTED), (CHANGES, CHANGED)])
def test_unknown_parameters_are_answered_with_the_known_ones(said, routes, names):
    known = "expected one of " + ", ".join(f"`{name}`" for name in names)
    for route in routes:
        assert said(route, "doggo=1") == refused("bad_request", f"Unknown parameter `doggo`: {known}")
        assert said(route, "statuse=failed") == refused(
            "bad_request", f"Unknown parameter `statuse`: did you mean `statuses`? {known}")


@pytest.mark.parametrize("route, word", [(CHANGES[0], "cancel"), (CHANGES[1], "delete")])
def test_a_change_needs_a_filter_and_knows_no_paging(said, route, word):
    assert said(route, "") == refused(
        "missing_task_filters", f"Query parameters to filter the tasks to {word} are missing. Available query parameters are: "
        "`uids`, `indexUids`, `statuses`, `types`, `canceledBy`, `beforeEnqueuedAt`, `afterEnqueuedAt`, `beforeStartedAt`, "
        "`afterStartedAt`, `beforeFinishedAt`, `afterFinishedAt`.")
    for name in ("limit", "from", "reverse"):
        assert said(route, f"{name}=1")[3].startswith(f"Unknown parameter `{name}`: expected one of `uids`, `batchUids`, ")


def test_the_first_bad_parameter_of_the_request_is_told(said):
    for route in LISTINGS:
        assert said(route, "uids=1&reverse=x&limit=y&doggo=z")[1] == "invalid_task_reverse"
        assert said(route, "uids=1&limit=y&reverse=x")[1] == "invalid_task_limit"
        assert said(route, "doggo=z&limit=y")[1] == "bad_request"


def test_rights_are_judged_before_parameters(start_server):
    server = start_server(*LOOPBACK, "--master-key", "a-master-key-long-enough")
    for method, path in LISTINGS + CHANGES + STREAM:
        answer = server.request(method, f"{path}?limit=doggo")
        assert (answer.status, answer.json["code"]) == (401, "missing_authorization_header")
