"""/indexes/{uid}/settings and its sub-routes, /experimental-features: values, tasks, batches, errors, restarts."""
import json

import pytest

DEFAULTS = {
    "displayedAttributes": ["*"], "searchableAttributes": ["*"], "filterableAttributes": [], "sortableAttributes": [],
    "rankingRules": ["words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness"],
    "stopWords": [], "nonSeparatorTokens": [], "separatorTokens": [], "dictionary": [], "synonyms": {},
    "distinctAttribute": None, "proximityPrecision": "byWord",
    "typoTolerance": {"enabled": True, "minWordSizeForTypos": {"oneTypo": 5, "twoTypos": 9}, "disableOnWords": [],
                      "disableOnAttributes": [], "disableOnNumbers": False},
    "faceting": {"maxValuesPerFacet": 100, "sortFacetValuesBy": {"*": "alpha"}}, "pagination": {"maxTotalHits": 1000},
    "embedders": {}, "searchCutoffMs": None, "localizedAttributes": None, "facetSearch": True,
    "prefixSearch": "indexingTime"}
# sub-route, name, verb, a value, what GET shows then
SUB_ROUTES = [
    ("displayed-attributes", "displayedAttributes", "PUT", ["b", "a"], ["b", "a"]),
    ("searchable-attributes", "searchableAttributes", "PUT", ["b", "a"], ["b", "a"]),
    ("filterable-attributes", "filterableAttributes", "PUT", ["b", {"attributePatterns": ["a*"]}],
     ["b", {"attributePatterns": ["a*"],
            "features": {"facetSearch": False, "filter": {"equality": True, "comparison": False}}}]),
    ("sortable-attributes", "sortableAttributes", "PUT", ["b", "a", "b"], ["a", "b"]),
    ("ranking-rules", "rankingRules", "PUT", ["words", "n:desc"], ["words", "n:desc"]),
    ("stop-words", "stopWords", "PUT", ["the", "a"], ["a", "the"]),
    ("non-separator-tokens", "nonSeparatorTokens", "PUT", ["#", "@"], ["#", "@"]),
    ("separator-tokens", "separatorTokens", "PUT", ["|"], ["|"]),
    ("dictionary", "dictionary", "PUT", ["J. R. R."], ["J. R. R."]),
    ("synonyms", "synonyms", "PUT", {"b": ["2", "1"], "a": []}, {"a": [], "b": ["2", "1"]}),
    ("distinct-attribute", "distinctAttribute", "PUT", "sku", "sku"),
    ("proximity-precision", "proximityPrecision", "PUT", "byAttribute", "byAttribute"),
    ("typo-tolerance", "typoTolerance", "PATCH", {"enabled": False}, {**DEFAULTS["typoTolerance"], "enabled": False}),
    ("faceting", "faceting", "PATCH", {"maxValuesPerFacet": 7}, {**DEFAULTS["faceting"], "maxValuesPerFacet": 7}),
    ("pagination", "pagination", "PATCH", {"maxTotalHits": 7}, {"maxTotalHits": 7}),
    ("embedders", "embedders", "PATCH", {"e": {"source": "rest", "apiKey": "0123456789abc"}},
     {"e": {"source": "rest", "apiKey": "01XXXX..."}}),
    ("search-cutoff-ms", "searchCutoffMs", "PUT", 150, 150),
    ("localized-attributes", "localizedAttributes", "PUT", [{"attributePatterns": ["*_ja"], "locales": ["ja"]}],
     [{"attributePatterns": ["*_ja"], "locales": ["jpn"]}]),
    ("facet-search", "facetSearch", "PUT", False, False),
    ("prefix-search", "prefixSearch", "PUT", "disabled", "disabled"),
]


def error(answer):
    return answer.status, answer.json["code"], answer.json["message"]


def send(server, verb, path, value):
    """Any value as JSON: the harness sends texts as they are."""
    return server.request(verb, path, json.dumps(value), headers={"Content-Type": "application/json"})


def settings(server, index):
    return server.get(f"/indexes/{index}/settings").json


def test_settings_are_the_defaults_in_their_order(server):
    server.done(server.post("/indexes", {"uid": "m"}))
    answer = server.get("/indexes/m/settings")
    assert answer.status == 200
    assert list(answer.json) == list(DEFAULTS)
    assert answer.json == DEFAULTS


def test_settings_of_a_missing_index_are_not_found(server):
    assert error(server.get("/indexes/m/settings")) == (404, "index_not_found", "Index `m` not found.")
    assert error(server.get("/indexes/m/settings/stop-words")) == (404, "index_not_found", "Index `m` not found.")
    assert error(server.get("/indexes/m%20/settings"))[:2] == (400, "invalid_index_uid")


@pytest.mark.parametrize("route, name, verb, value, shown", SUB_ROUTES)
def test_every_sub_route_gets_sets_and_resets(shared, route, name, verb, value, shown):
    path = f"/indexes/sub-{route}/settings/{route}"
    summary = send(shared, verb, path, value)
    assert summary.status == 202
    assert list(summary.json) == ["taskUid", "indexUid", "status", "type", "enqueuedAt"]
    assert summary.json["type"] == "settingsUpdate"
    assert list(shared.done(summary)["details"]) == [name]
    assert shared.get(path).json == shown
    assert settings(shared, f"sub-{route}") == {**DEFAULTS, name: shown}
    shared.done(shared.delete(path))
    assert shared.get(path).json == DEFAULTS[name]
    assert send(shared, "PATCH" if verb == "PUT" else "PUT", path, value).status == 405


def test_null_resets_what_a_sub_route_set(server):
    server.done(server.put("/indexes/m/settings/stop-words", ["a"]))
    task = server.done(send(server, "PUT", "/indexes/m/settings/stop-words", None))
    assert task["details"] == {"stopWords": None}
    assert settings(server, "m") == DEFAULTS


def test_details_show_what_was_sent(server):
    task = server.done(server.patch("/indexes/m/settings", {
        "stopWords": ["b", "a"], "displayedAttributes": None, "sortableAttributes": None,
        "embedders": {"e": {"source": "openAi", "apiKey": "MyKey"}}, "typoTolerance": {"disableOnNumbers": True}}))
    assert list(task["details"].items()) == [
        ("displayedAttributes", ["*"]), ("sortableAttributes", None), ("stopWords", ["a", "b"]),
        ("typoTolerance", {"disableOnNumbers": True}), ("embedders", {"e": {"source": "openAi", "apiKey": "XXX..."}})]


def test_reset_of_all_settings(server):
    server.done(server.patch("/indexes/m/settings", {"stopWords": ["a"], "searchCutoffMs": 5}))
    task = server.done(server.delete("/indexes/m/settings"))
    assert task["details"] == {**{name: None for name in (*DEFAULTS, "foreignKeys", "chat")},
                               "displayedAttributes": ["*"], "searchableAttributes": ["*"]}
    assert settings(server, "m") == DEFAULTS


def test_reset_never_creates_an_index(server):
    task = server.wait_task(server.delete("/indexes/m/settings/stop-words"))
    assert (task["status"], task["error"]["code"], task["error"]["message"]) == (
        "failed", "index_not_found", "Index `m` not found.")
    assert server.get("/indexes/m").status == 404


def test_settings_tasks_share_a_batch_whose_details_are_merged(start_server):
    server = start_server("--experimental-max-number-of-batched-tasks", 0)
    server.patch("/indexes/m/settings", {"stopWords": ["a"], "synonyms": {"a": ["b"]},
                                         "embedders": {"a": {"source": "rest"}, "b": {"source": "rest"}}})
    server.put("/indexes/m/settings/displayed-attributes", ["x"])
    last = server.patch("/indexes/m/settings", {"stopWords": None, "embedders": {"b": {"source": "ollama"}}})
    server.stop()
    server = start_server()
    task = server.wait_task(last)
    batch = server.get(f"/batches/{task['batchUid']}").json
    assert batch["stats"]["types"] == {"settingsUpdate": 3}
    assert list(batch["details"].items()) == [
        ("displayedAttributes", ["x"]), ("stopWords", None), ("synonyms", {"a": ["b"]}),
        ("embedders", {"a": {"source": "rest"}, "b": {"source": "ollama"}})]
    assert settings(server, "m")["embedders"] == {"a": {"source": "rest"}, "b": {"source": "ollama"}}
    assert settings(server, "m")["stopWords"] == []


def test_documents_then_settings_say_why_the_batch_ended(start_server):
    server = start_server("--experimental-max-number-of-batched-tasks", 0)
    server.post("/indexes/m/documents", {"id": 1})
    server.put("/indexes/m/settings/stop-words", ["a"])
    last = server.post("/indexes/m/documents", {"id": 2})
    server.stop()
    server = start_server()
    server.done(last)
    assert server.get("/batches/0").json["batchStrategy"] == (
        "stopped before task with id 1 because it is a settings change which cannot be batched with document operations")
    assert server.get("/batches/1").json["batchStrategy"] == (
        "stopped before task with id 2 because it is a document operation which cannot be batched with settings changes")


def test_settings_move_with_a_swap_and_survive_a_restart(start_server):
    server = start_server()
    server.put("/indexes/a/settings/stop-words", ["a"])
    server.put("/indexes/b/settings/stop-words", ["b"])
    server.done(server.post("/swap-indexes", [{"indexes": ["a", "b"]}]))
    server.stop()
    server = start_server()
    assert server.get("/indexes/a/settings/stop-words").json == ["b"]
    assert server.get("/indexes/b/settings/stop-words").json == ["a"]


def test_settings_change_updated_at(server):
    server.done(server.post("/indexes", {"uid": "m"}))
    before = server.get("/indexes/m").json
    server.done(server.put("/indexes/m/settings/stop-words", ["a"]))
    after = server.get("/indexes/m").json
    assert after["createdAt"] == before["createdAt"]
    assert after["updatedAt"] > before["updatedAt"]


def test_displayed_attributes_do_not_act_on_documents(server):
    server.done(server.put("/indexes/m/settings/displayed-attributes", ["id"]))
    server.done(server.post("/indexes/m/documents", {"id": 1, "secret": 2}))
    assert server.documents("m") == [{"id": 1, "secret": 2}]
    assert server.get("/indexes/m/documents/1").json == {"id": 1, "secret": 2}


@pytest.mark.parametrize("verb, route, body, expected", [
    ("PATCH", "", {"stopWord": 1}, ("bad_request", "Unknown field `stopWord`: did you mean `stopWords`? expected one of "
                                    "`displayedAttributes`, `searchableAttributes`, ")),
    ("PATCH", "", ["a"], ("bad_request", "Invalid value type: expected an object, but found an array: `[\"a\"]`")),
    ("PATCH", "", {"pagination": {"maxTotalHits": "doggo"}}, (
        "invalid_settings_pagination", "Invalid value type at `.pagination.maxTotalHits`: expected a positive integer, "
                                       "but found a string: `\"doggo\"`")),
    ("PUT", "/ranking-rules", ["attribute", "wordPosition"], (
        "invalid_settings_ranking_rules", "Mixed usage of the attribute, attributeRank, and wordPosition ranking rules.")),
    ("PUT", "/distinct-attribute", ["doggo"], (
        "invalid_settings_distinct_attribute", "Invalid value type: expected a string, but found an array: `[\"doggo\"]`")),
    ("PATCH", "/chat", {"description": "x"}, (
        "feature_not_enabled", "setting `chat` in the index settings requires enabling the `chat completions` "
                               "experimental feature. See https://github.com/orgs/meilisearch/discussions/835")),
    ("PATCH", "/embedders", {"e": {"source": "composite"}}, (
        "feature_not_enabled", "using `\"composite\"` as source requires enabling the `composite embedders` experimental "
                               "feature. See https://github.com/orgs/meilisearch/discussions/816")),
])
def test_wrong_settings_are_refused_at_once(shared, verb, route, body, expected):
    status, code, message = error(shared.request(verb, "/indexes/wrong/settings" + route, body))
    assert (status, code) == (400, expected[0])
    assert message.startswith(expected[1])
    assert shared.get("/indexes/wrong").status == 404


KINDS = {"array": ("an array", '"doggo"', "a string"), "object": ("an object", '"doggo"', "a string"),
         "string": ("a string", '["doggo"]', "an array"), "integer": ("a positive integer", '"doggo"', "a string"),
         "boolean": ("a boolean", '"doggo"', "a string")}
WANTS = {"synonyms": "object", "typo-tolerance": "object", "faceting": "object", "pagination": "object", "embedders": "object",
         "chat": "object", "distinct-attribute": "string", "search-cutoff-ms": "integer", "facet-search": "boolean"}
CHOICES = {"proximity-precision": "`byWord`, `byAttribute`", "prefix-search": "`indexingTime`, `disabled`"}


@pytest.mark.parametrize("route, name, verb", [*[row[:3] for row in SUB_ROUTES], ("foreign-keys", "foreignKeys", "PUT"),
                                               ("chat", "chat", "PATCH")])
def test_every_setting_complains_in_its_own_code(shared, route, name, verb):
    """On its own route and among the others, where the place is named."""
    code = "invalid_settings_" + ("index_chat" if route == "chat" else route.replace("-", "_"))
    if route in CHOICES:
        sent = '"doggo"'
        messages = [f"Unknown value `doggo`{at}: expected one of {CHOICES[route]}" for at in ("", f" at `.{name}`")]
    else:
        wanted, sent, found = KINDS[WANTS.get(route, "array")]
        messages = [f"Invalid value type{at}: expected {wanted}, but found {found}: `{sent}`" for at in ("", f" at `.{name}`")]
    path, headers = "/indexes/wrong/settings", {"Content-Type": "application/json"}
    assert error(shared.request(verb, f"{path}/{route}", sent, headers=headers)) == (400, code, messages[0])
    assert error(shared.patch(path, f'{{"{name}":{sent}}}', headers=headers)) == (400, code, messages[1])


def test_the_index_uid_is_judged_behind_the_body(shared):
    assert error(shared.put("/indexes/a%20b/settings/stop-words", "x"))[1] == "missing_content_type"
    assert error(shared.put("/indexes/a%20b/settings/stop-words", 1))[1] == "invalid_settings_stop_words"
    assert error(shared.put("/indexes/a%20b/settings/stop-words", []))[1] == "invalid_index_uid"


# --- experimental features

FEATURES = ["metrics", "logsRoute", "editDocumentsByFunction", "containsFilter", "dynamicSearchRules", "network",
            "getTaskDocumentsRoute", "taskQueueCompactionRoute", "compositeEmbedders", "chatCompletions", "multimodal",
            "foreignKeys", "disableDocumentsFetchQueue", "legacySearch", "renderRoute"]


def test_features_are_off_at_first(server):
    answer = server.get("/experimental-features")
    assert list(answer.json) == FEATURES
    assert answer.json == {**dict.fromkeys(FEATURES, False), "legacySearch": None}


def test_features_are_merged_and_survive_a_restart(start_server):
    server = start_server()
    answer = server.patch("/experimental-features", {"metrics": True, "legacySearch": False})
    assert answer.status == 200
    assert (answer.json["metrics"], answer.json["legacySearch"], answer.json["network"]) == (True, False, False)
    server.patch("/experimental-features", {"network": True, "metrics": None})
    server.kill()
    server = start_server()
    features = server.get("/experimental-features").json
    assert [name for name in FEATURES if features[name]] == ["metrics", "network"]


def test_features_complain_in_upstreams_words(shared):
    assert error(shared.patch("/experimental-features", {"metric": True})) == (
        400, "bad_request", "Unknown field `metric`: did you mean `metrics`? expected one of "
        + ", ".join(f"`{name}`" for name in FEATURES))
    assert error(shared.patch("/experimental-features", {"metrics": 1})) == (
        400, "bad_request", "Invalid value type at `.metrics`: expected a boolean, but found a positive integer: `1`")


def test_features_show_settings_that_need_them(server):
    server.patch("/experimental-features", {"chatCompletions": True, "foreignKeys": True})
    server.done(server.patch("/indexes/m/settings", {"chat": {"description": "films"},
                                                     "foreignKeys": [{"foreignIndexUid": "b", "fieldName": "a"}]}))
    shown = settings(server, "m")
    assert list(shown).index("foreignKeys") == list(shown).index("sortableAttributes") + 1
    assert list(shown)[-1] == "chat"
    assert shown["foreignKeys"] == [{"foreignIndexUid": "b", "fieldName": "a"}]
    assert (shown["chat"]["description"], shown["chat"]["documentTemplateMaxBytes"]) == ("films", 400)
