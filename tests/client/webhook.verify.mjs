// Verifies one request with the packages that receivers use, unmodified: standardwebhooks and svix. Standard input: a
// JSON object {secret, headers, body}; for an ed25519 key, which they do not verify, node's own crypto does it.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

import standardwebhooks from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));

function verifyEd25519(publicKey) {
  // DER of a SubjectPublicKeyInfo: the algorithm's fixed prefix, then the 32 bytes of the key
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(publicKey, "base64")]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  const signed = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  return headers["webhook-signature"]
    .split(" ")
    .filter((one) => one.startsWith("v1a,"))
    .some((one) => verify(null, signed, key, Buffer.from(one.slice(4), "base64")));
}

const answers = {};
if (secret.startsWith("whpk_")) {
  answers.ed25519 = verifyEd25519(secret.slice("whpk_".length));
} else {
  for (const [name, Webhook] of [["standardwebhooks", standardwebhooks.Webhook], ["svix", SvixWebhook]]) {
    try {
      answers[name] = new Webhook(secret).verify(body, headers) ?? null; // svix only checks, it returns nothing
    } catch (error) {
      answers[name] = `${error.name}: ${error.message}`;
    }
  }
}
console.log(JSON.stringify(answers));
