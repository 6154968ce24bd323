// The unmodified @oramacloud/client (CloudManager) and fumadocs-core's legacy sync against a running server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CloudManager } from "@oramacloud/client";
import { sync, syncI18n } from "fumadocs-core/search/orama-cloud-legacy";

const url = process.env.TASKHOOK_URL;
const key = process.env.TASKHOOK_KEY;
const baseURL = `${url}/api/v1`;
const headers = { Authorization: `Bearer ${key}` };

// One manager an index: it keeps one index id, so that a second index() turns the first one around.
const source = (index, api_key = key) => new CloudManager({ api_key, baseURL }).index(index);
const get = async (path) => (await fetch(url + path, { headers })).json();

async function deployed(index) {
  for (;;) {
    const { results } = await get(`/tasks?indexUids=${index}&types=indexDeploy&limit=1`);
    if (results[0].status === "succeeded") break;
    assert.ok(["enqueued", "processing"].includes(results[0].status), JSON.stringify(results[0]));
    await new Promise((done) => setTimeout(done, 5));
  }
  return (await get(`/indexes/${index}/documents?limit=1000`)).results;
}

test("every call of CloudManager", async () => {
  const index = source("manager");
  assert.equal(await index.snapshot([{ id: "1", name: "A", age: 1 }, { id: "2", name: "B" }]), true);
  assert.equal(await index.hasPendingOperations(), true);
  assert.equal(await index.deploy(), true);
  assert.deepEqual(await deployed("manager"), [{ id: "1", name: "A", age: 1 }, { id: "2", name: "B" }]);
  assert.equal(await index.hasPendingOperations(), false);
  assert.equal(await index.insert([{ id: "3" }]), true);
  assert.equal(await index.update([{ id: "1", name: "C" }]), true);
  assert.equal(await index.delete(["2"]), true);
  assert.equal(await index.updateSchema({ schema: { name: "string" } }), true);
  assert.equal(await index.deploy(), true);
  assert.deepEqual(await deployed("manager"), [{ id: "1", name: "C" }, { id: "3" }]);
  assert.deepEqual(await get("/indexes/manager/settings/searchable-attributes"), ["name"]);
  assert.equal(await index.empty(), true);
  assert.equal((await get("/indexes/manager/stats")).numberOfDocuments, 2);
  assert.equal(await index.deploy(), true);
  assert.deepEqual(await deployed("manager"), []);
});

test("empty, fifty inserts at once, deploy", async () => {
  const index = source("chunks");
  assert.equal(await index.empty(), true);
  const chunks = Array.from({ length: 50 }, (_, n) => Array.from({ length: 10 }, (_, i) => ({ id: `${n}/${i}` })));
  assert.ok((await Promise.all(chunks.map((chunk) => source("chunks").insert(chunk)))).every((ok) => ok === true));
  assert.equal(await index.deploy(), true);
  assert.equal((await deployed("chunks")).length, 500);
});

test("a wrong key is a failure to the client", async () => {
  const index = source("manager", "wrong");
  await assert.rejects(index.snapshot([]), SyntaxError);
  await assert.rejects(index.insert([{ id: "1" }]), SyntaxError);
  assert.equal(await index.delete(["1"]), false);
  assert.equal(await index.deploy(), false);
  assert.equal(await index.updateSchema({ schema: {} }), false);
});

const page = (id, text) => ({
  id, title: id, url: id, description: `about ${id}`,
  structured: { headings: [{ id: "top", content: "Top" }], contents: [{ heading: "top", content: text }] },
});

test("fumadocs' legacy sync", async () => {
  const manager = new CloudManager({ api_key: key, baseURL });
  await sync(manager, { index: "docs", documents: [page("/docs/a", "one"), page("/docs/b", "two")] });
  const ids = (await deployed("docs")).map((d) => d.id);
  assert.deepEqual(ids, ["a", "b"].flatMap((p) => [0, 2, 1].map((n) => `/docs/${p}-${n}`)));
  await sync(manager, { index: "docs", documents: [page("/docs/c", "three")], autoDeploy: false });
  assert.equal((await get("/indexes/docs/stats")).numberOfDocuments, 6);
});

test("fumadocs' legacy sync in languages", async () => {
  const manager = new CloudManager({ api_key: key, baseURL });
  await syncI18n(manager, { indexes: { en: "docs-en" }, documents: [{ locale: "en", items: [page("/en/a", "one")] }] });
  assert.equal((await deployed("docs-en")).length, 3);
});
