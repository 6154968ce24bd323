// Signs webhooks with the packages that their senders publish, unmodified: stripe, @octokit/webhooks-methods,
// standardwebhooks. Standard input: a JSON list of {provider, secret, body, timestamp, id}; standard output: their headers.
import { readFileSync } from "node:fs";

import { sign } from "@octokit/webhooks-methods";
import standardwebhooks from "standardwebhooks";
import Stripe from "stripe";

const stripe = new Stripe("sk_test_of_nobody");
const signers = {
  stripe: async ({ secret, body, timestamp }) => ({
    "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp }),
  }),
  github: async ({ secret, body, id }) => ({
    "x-hub-signature-256": await sign(secret, body),
    "x-github-delivery": id,
  }),
  standard: async ({ secret, body, timestamp, id }) => ({
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": new standardwebhooks.Webhook(secret).sign(id, new Date(timestamp * 1000), body),
  }),
};

const asked = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(asked.map((one) => signers[one.provider](one)))));
