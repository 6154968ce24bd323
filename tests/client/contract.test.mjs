// The official JavaScript client, unmodified, against a running taskhook: TASKHOOK_URL, TASKHOOK_KEY (master key).
// Run by tests/e2e/test_client_library.py, which unpacks the pinned package next to a copy of this file.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { Meilisearch } from "meilisearch";
import { generateTenantToken } from "meilisearch/token";

globalThis.crypto ??= webcrypto; // Node 18 has it, but not as a global
const client = new Meilisearch({ host: process.env.TASKHOOK_URL, apiKey: process.env.TASKHOOK_KEY });
const cities = [
  { geonameid: 3039163, name: "Sant Julià de Lòria", population: 8022, _geo: { lat: 42.46372, lng: 1.49129 } },
  { geonameid: 290594, name: "Umm Al Quwain City", population: 62747 },
];

test("health, version, stats", async () => {
  assert.deepEqual(await client.health(), { status: "available" });
  assert.equal(await client.isHealthy(), true);
  assert.deepEqual(Object.keys(await client.getVersion()).sort(), ["commitDate", "commitSha", "pkgVersion"]);
  const stats = await client.getStats();
  assert.equal(typeof stats.databaseSize, "number");
  assert.deepEqual(stats.indexes, {});
});

test("a wrong key is a MeilisearchApiError", async () => {
  const stranger = new Meilisearch({ host: process.env.TASKHOOK_URL, apiKey: "wrong" });
  await assert.rejects(stranger.getStats(), (e) => e.name === "MeilisearchApiError" && e.cause.code === "invalid_api_key");
});

test("index life: create, info, update, rename, swap, delete", async () => {
  const summary = await client.createIndex("life", { primaryKey: "id" });
  assert.deepEqual(Object.keys(summary).sort(), ["enqueuedAt", "indexUid", "status", "taskUid", "type"]);
  assert.equal(summary.status, "enqueued");
  const task = await client.tasks.waitForTask(summary.taskUid);
  assert.equal(task.status, "succeeded");
  assert.equal(task.type, "indexCreation");
  assert.deepEqual(task.details, { primaryKey: "id" });
  const raw = await client.getRawIndex("life");
  assert.equal(raw.primaryKey, "id");
  assert.ok(!Number.isNaN(Date.parse(raw.createdAt)));
  assert.equal((await client.index("life").update({ primaryKey: "key" }).waitTask()).status, "succeeded");
  assert.equal(await client.index("life").fetchPrimaryKey(), "key");
  assert.equal((await client.createIndex("other").waitTask()).status, "succeeded");
  assert.equal((await client.swapIndexes([{ indexes: ["life", "other"] }]).waitTask()).status, "succeeded");
  assert.equal((await client.getRawIndex("life")).primaryKey, null);
  const failed = await client.createIndex("life").waitTask();
  assert.equal(failed.status, "failed");
  assert.equal(failed.error.code, "index_already_exists");
  const indexes = await client.getRawIndexes({ limit: 10 });
  assert.deepEqual(indexes.results.map((i) => i.uid), ["life", "other"]);
  const compacted = await client.index("life").compact().waitTask();
  assert.equal(compacted.type, "indexCompaction");
  assert.deepEqual(Object.keys(compacted.details), ["preCompactionSize", "postCompactionSize"]);
  assert.equal((await client.deleteIndex("life").waitTask()).details.deletedDocuments, 0);
  assert.equal((await client.deleteIndex("other").waitTask()).status, "succeeded");
});

test("documents: add, get, fetch, update, delete", async () => {
  const index = client.index("cities");
  const added = await index.addDocuments(cities, { primaryKey: "geonameid" }).waitTask();
  assert.equal(added.status, "succeeded", JSON.stringify(added.error));
  assert.deepEqual(added.details, { receivedDocuments: 2, indexedDocuments: 2 });
  assert.deepEqual(await index.getDocument(3039163), cities[0]);
  assert.deepEqual(await index.getDocument(290594, { fields: ["name"] }), { name: "Umm Al Quwain City" });
  const page = await index.getDocuments({ limit: 1, offset: 1 });
  assert.deepEqual(page, { results: [cities[1]], offset: 1, limit: 1, total: 2 });
  const byIds = await index.getDocuments({ ids: [290594] });
  assert.deepEqual(byIds.results, [cities[1]]);
  await index.updateDocuments([{ geonameid: 290594, country: "AE" }]).waitTask();
  assert.deepEqual(await index.getDocument(290594), { ...cities[1], country: "AE" });
  const csv = await index.addDocumentsFromString("geonameid:number;name\n1;Zürich\n", "text/csv", { csvDelimiter: ";" }).waitTask();
  assert.equal(csv.status, "succeeded", JSON.stringify(csv.error));
  assert.deepEqual(await index.getDocument(1), { geonameid: 1, name: "Zürich" });
  const ndjson = await index.addDocumentsFromString('{"geonameid":2}\n{"geonameid":3}\n', "application/x-ndjson").waitTask();
  assert.equal(ndjson.details.indexedDocuments, 2);
  const stats = await index.getStats();
  assert.equal(stats.numberOfDocuments, 5);
  assert.equal(stats.isIndexing, false);
  assert.equal(stats.fieldDistribution.name, 3);
  assert.equal((await index.deleteDocument(1).waitTask()).details.deletedDocuments, 1);
  assert.equal((await index.deleteDocuments([2, "3"]).waitTask()).details.deletedDocuments, 2);
  assert.equal((await index.deleteAllDocuments().waitTask()).details.deletedDocuments, 2);
  await assert.rejects(index.getDocument(1), (e) => e.cause.code === "document_not_found");
});

test("batches of documents as separate tasks", async () => {
  const documents = Array.from({ length: 25 }, (_, id) => ({ id, text: `n° ${id}` }));
  const tasks = await Promise.all(client.index("many").addDocumentsInBatches(documents, 10));
  const done = await client.tasks.waitForTasks(tasks.map((t) => t.taskUid));
  assert.deepEqual(done.map((t) => t.details.indexedDocuments), [10, 10, 5]);
  assert.equal((await client.index("many").getStats()).numberOfDocuments, 25);
});

test("settings: whole object, single ones, resets, errors", async () => {
  const index = client.index("tuned");
  const updated = await index.updateSettings({ filterableAttributes: ["genre"], stopWords: ["the"], typoTolerance: { enabled: false } }).waitTask();
  assert.equal(updated.status, "succeeded", JSON.stringify(updated.error));
  assert.equal(updated.type, "settingsUpdate");
  assert.deepEqual(updated.details, { filterableAttributes: ["genre"], stopWords: ["the"], typoTolerance: { enabled: false } });
  const settings = await index.getSettings();
  assert.deepEqual(settings.stopWords, ["the"]);
  assert.equal(settings.typoTolerance.enabled, false);
  assert.deepEqual(settings.typoTolerance.minWordSizeForTypos, { oneTypo: 5, twoTypos: 9 });
  await index.updateSortableAttributes(["year"]).waitTask();
  assert.deepEqual(await index.getSortableAttributes(), ["year"]);
  await index.updatePagination({ maxTotalHits: 5 }).waitTask();
  assert.deepEqual(await index.getPagination(), { maxTotalHits: 5 });
  await index.updateDistinctAttribute("sku").waitTask();
  assert.equal(await index.getDistinctAttribute(), "sku");
  await index.updateSynonyms({ a: ["b"] }).waitTask();
  assert.deepEqual(await index.getSynonyms(), { a: ["b"] });
  await index.resetStopWords().waitTask();
  assert.deepEqual(await index.getStopWords(), []);
  await assert.rejects(index.updateRankingRules(["nonsense"]), (e) => e.cause.code === "invalid_settings_ranking_rules");
  assert.equal((await index.resetSettings().waitTask()).status, "succeeded");
  assert.deepEqual(await index.getFilterableAttributes(), []);
});

test("filters: fetch, sort, delete", async () => {
  const index = client.index("filtered");
  await index.updateSettings({ filterableAttributes: ["genre", "year"], sortableAttributes: ["year"] });
  await index.addDocuments([{ id: 1, genre: "Drama", year: 2015 }, { id: 2, genre: "horror", year: 2001 }, { id: 3, genre: "drama", year: 1999 }]).waitTask();
  const found = await index.getDocuments({ filter: ["genre = drama", "year > 1990"], sort: ["year:asc"], fields: ["id"] });
  assert.deepEqual(found, { results: [{ id: 3 }, { id: 1 }], offset: 0, limit: 20, total: 2 });
  await assert.rejects(index.getDocuments({ filter: "color = red" }), (e) => e.cause.code === "invalid_document_filter");
  const deleted = await index.deleteDocuments({ filter: "genre = drama" }).waitTask();
  assert.deepEqual(deleted.details, { providedIds: 0, deletedDocuments: 2, originalFilter: '"genre = drama"' });
});

test("experimental features", async () => {
  const before = await client.getExperimentalFeatures();
  assert.equal(before.containsFilter, false);
  assert.equal((await client.updateExperimentalFeatures({ containsFilter: true })).containsFilter, true);
  assert.equal((await client.updateExperimentalFeatures({ containsFilter: false })).containsFilter, false);
});

test("tasks and batches: list, get, errors, cancel", async () => {
  const tasks = await client.tasks.getTasks({ limit: 2 });
  assert.deepEqual(Object.keys(tasks).sort(), ["from", "limit", "next", "results", "total"]);
  assert.equal(tasks.results.length, 2);
  assert.equal(tasks.results[0].uid, tasks.from);
  assert.equal(tasks.results[0].uid - 1, tasks.results[1].uid);
  const task = await client.tasks.getTask(0);
  assert.equal(task.uid, 0);
  const batch = await client.batches.getBatch(task.batchUid);
  assert.equal(batch.uid, task.batchUid);
  assert.equal(batch.stats.totalNbTasks >= 1, true);
  assert.equal((await client.batches.getBatches({ limit: 1 })).results.length, 1);
  await assert.rejects(client.tasks.getTask(99999999), (e) => e.cause.code === "task_not_found");
  const cancel = await client.tasks.cancelTasks({ uids: [0] }).waitTask();
  assert.equal(cancel.type, "taskCancelation");
  assert.deepEqual(cancel.details, { matchedTasks: 1, canceledTasks: 0, originalFilter: "?uids=0" });
});

test("tasks: metadata, waiting for several, deletion", async () => {
  const index = client.index("counted");
  const sent = [1, 2].map((id) => index.addDocuments([{ id }], { customMetadata: `import-${id}` }));
  const tasks = await client.tasks.waitForTasks((await Promise.all(sent)).map((t) => t.taskUid));
  assert.deepEqual(tasks.map((t) => [t.status, t.customMetadata]), [["succeeded", "import-1"], ["succeeded", "import-2"]]);
  const uids = tasks.map((t) => t.uid);
  const deletion = await client.tasks.deleteTasks({ uids, statuses: ["succeeded"] }).waitTask();
  assert.equal(deletion.type, "taskDeletion");
  assert.deepEqual([deletion.details.matchedTasks, deletion.details.deletedTasks], [2, 2]);
  assert.match(deletion.details.originalFilter, /^\?uids=\d+%2C\d+&statuses=succeeded$/);
  await assert.rejects(client.tasks.getTask(uids[0]), (e) => e.cause.code === "task_not_found");
});

test("webhooks: create, get, list, update, delete", async () => {
  const created = await client.createWebhook({ url: "https://example.com/hook", headers: { authorization: "TOKEN", "x-a": "b" } });
  assert.equal(created.isEditable, true);
  assert.deepEqual(created.headers, { authorization: "XXX...", "x-a": "b" });
  assert.deepEqual(await client.getWebhook(created.uuid), created);
  assert.ok((await client.getWebhooks()).results.some((w) => w.uuid === created.uuid));
  const updated = await client.updateWebhook(created.uuid, { url: "https://example.com/other", headers: { "x-a": null } });
  assert.equal(updated.url, "https://example.com/other");
  assert.deepEqual(updated.headers, { authorization: "XXX..." });
  await client.deleteWebhook(created.uuid);
  await assert.rejects(client.getWebhook(created.uuid), (e) => e.cause.code === "webhook_not_found");
  await assert.rejects(client.createWebhook({ url: "nonsense" }), (e) => e.cause.code === "invalid_webhook_url");
});

test("keys: the default ones, create, get, list, update, delete", async () => {
  const names = (await client.getKeys()).results.map((k) => k.name);
  assert.deepEqual(names, ["Default Search API Key", "Default Admin API Key", "Default Read-Only Admin API Key", "Default Chat API Key"]);
  const made = await client.createKey({ description: "for one index", actions: ["documents.*", "indexes.get"], indexes: ["key*"], expiresAt: null });
  assert.deepEqual(made.actions, ["documents.*", "indexes.get"]);
  assert.equal(made.name, null);
  assert.deepEqual(await client.getKey(made.uid), made);
  assert.deepEqual(await client.getKey(made.key), made);
  const newest = (await client.getKeys({ limit: 1 })).results; // whose times the client makes dates
  assert.deepEqual(newest.map((k) => [k.key, k.createdAt.getTime()]), [[made.key, Date.parse(made.createdAt)]]);
  assert.equal((await client.updateKey(made.uid, { name: "renamed" })).name, "renamed");
  const holder = new Meilisearch({ host: process.env.TASKHOOK_URL, apiKey: made.key });
  const refused = (e) => e.cause.code === "invalid_api_key";
  await assert.rejects(holder.getKeys(), refused);
  await assert.rejects(holder.index("other").addDocuments([{ id: 1 }]), refused);
  await client.createIndex("keyed").waitTask();
  await client.createIndex("unkeyed").waitTask();
  assert.deepEqual((await holder.getRawIndexes()).results.map((i) => i.uid), ["keyed"]);
  const { taskUid } = await holder.index("keyed").addDocuments([{ id: 1 }]);
  assert.equal((await client.tasks.waitForTask(taskUid)).status, "succeeded");
  await client.deleteKey(made.uid);
  await assert.rejects(client.getKey(made.uid), (e) => e.cause.code === "api_key_not_found");
  await assert.rejects(holder.getRawIndexes(), refused);
  await assert.rejects(client.createKey({ actions: ["doggo"], indexes: ["*"], expiresAt: null }), (e) => e.cause.code === "invalid_api_key_actions");
});

test("tenant tokens open nothing but search", async () => {
  const key = (await client.getKeys()).results.find((k) => k.name === "Default Search API Key");
  const token = await generateTenantToken({ apiKey: key.key, apiKeyUid: key.uid, searchRules: { movies: { filter: "id = 1" } } });
  const tenant = new Meilisearch({ host: process.env.TASKHOOK_URL, apiKey: token });
  await assert.rejects(tenant.getStats(), (e) => e.cause.code === "invalid_api_key");
  await assert.rejects(tenant.index("movies").getDocuments(), (e) => e.cause.code === "invalid_api_key");
});
