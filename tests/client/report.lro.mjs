// Polls a report with @azure/core-lro as it is published. Arguments: base URL, "both" or "location" (without the
// Operation-Location header), index. Prints the final state and what it got.
import { createHttpPoller } from "@azure/core-lro";

const [base, mode, index] = process.argv.slice(2);

async function send(method, path, body) {
  const url = new URL(path, base);
  const answer = await fetch(url, {
    method, redirect: "follow", headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  const headers = Object.fromEntries(answer.headers);
  if (mode === "location") delete headers["operation-location"];
  const json = await answer.json();
  return { flatResponse: json,
           rawResponse: { statusCode: answer.status, headers, body: json, request: { method, url: url.href } } };
}

const poller = createHttpPoller({
  sendInitialRequest: () => send("POST", "/api/reports", { reportType: "documents", format: "json", parameters: { index } }),
  sendPollRequest: (path) => send("GET", path),
}, { intervalInMs: 20 });
try {
  const result = await poller.pollUntilDone();
  console.log(JSON.stringify({ status: poller.operationState.status, total: result.total }));
} catch (error) {
  console.log(JSON.stringify({ status: "failed", message: error.message }));
}
