// How each library is loaded and asked to sign or to verify a delivery: its body as
// bytes and as text, its headers under lower-case names, the secret, the URL, the id
// and the time of sending. verify says yes, or says no, or throws what the library
// throws.
//
// bodies are those that the library can be asked about:
//   any      whatever bytes
//   json     those that are JSON, in whatever spelling
//   compact  those that are spelt as JSON.stringify does, because the library
//            verifies what it has parsed and written again
// judgesTime: refuses what was sent long ago.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const seconds = (time) => Math.floor(time / 1000);

// As Express makes it: a name that is there several times has a list.
function formOf(text) {
  const fields = {};
  for (const [name, value] of new URLSearchParams(text)) {
    fields[name] = Object.hasOwn(fields, name) ? [fields[name], value].flat() : value;
  }
  return fields;
}

// Twilio signs a form field by field, and anything else by a digest in the URL.
// This is how the library tells them apart.
const signsDigest = (url) => url.indexOf('bodySHA256') > 0;

// Standard Webhooks and Svix differ in the names of the headers only.
const standard = (prefix) => ({
  bodies: 'json',
  judgesTime: true,
  sign({ Webhook }, { secret, id, at, text }) {
    return [
      [`${prefix}-id`, id],
      [`${prefix}-timestamp`, String(seconds(at))],
      [`${prefix}-signature`, new Webhook(secret).sign(id, at, text)],
    ];
  },
  verify({ Webhook }, { secret, headers, text }) {
    new Webhook(secret).verify(text, headers);
    return true;
  },
});

export const libraries = [
  {
    scheme: 'standard',
    name: 'standardwebhooks',
    load: () => import('standardwebhooks'),
    ...standard('webhook'),
  },
  {
    scheme: 'svix',
    name: 'svix',
    load: () => import('svix'),
    ...standard('svix'),
  },
  {
    // GitLab has no library of its own for this, and names Standard Webhooks.
    scheme: 'gitlab',
    name: 'standardwebhooks',
    load: () => import('standardwebhooks'),
    ...standard('webhook'),
  },
  {
    scheme: 'github',
    name: '@octokit/webhooks-methods',
    bodies: 'json',
    load: () => import('@octokit/webhooks-methods'),
    async sign(octokit, { secret, text }) {
      return [['X-Hub-Signature-256', await octokit.sign(secret, text)]];
    },
    verify(octokit, { secret, headers, text }) {
      return octokit.verify(secret, text, headers['x-hub-signature-256']);
    },
  },
  {
    scheme: 'stripe',
    name: 'stripe',
    bodies: 'json',
    judgesTime: true,
    load: () => import('stripe'),
    sign({ Stripe }, { secret, at, text }) {
      const timestamp = seconds(at);
      return [['Stripe-Signature', Stripe.webhooks.generateTestHeaderString({ payload: text, secret, timestamp })]];
    },
    verify({ Stripe }, { secret, headers, body }) {
      return Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret) !== undefined;
    },
    read({ Stripe }, { secret, headers, body }) {
      const event = Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret);
      return { id: event.id, event: event.type, occurred_at_ms: 1000 * event.created };
    },
  },
  {
    scheme: 'slack',
    name: '@slack/bolt',
    bodies: 'json',
    judgesTime: true,
    load: () => import('@slack/bolt'),
    verify({ verifySlackRequest }, { secret, headers, text }) {
      verifySlackRequest({
        signingSecret: secret,
        body: text,
        headers: {
          'x-slack-signature': headers['x-slack-signature'],
          'x-slack-request-timestamp': Number(headers['x-slack-request-timestamp']),
        },
      });
      return true;
    },
  },
  {
    scheme: 'shopify',
    name: '@shopify/shopify-api',
    bodies: 'json',
    async load() {
      await import('@shopify/shopify-api/adapters/web-api');
      return import('@shopify/shopify-api');
    },
    async verify({ shopifyApi, ApiVersion }, { secret, headers, text, url }) {
      const shopify = shopifyApi({
        apiKey: 'key',
        apiSecretKey: secret,
        apiVersion: ApiVersion.October25,
        hostName: 'localhost',
        isEmbeddedApp: false,
        logger: { log: () => {} },
      });
      const rawRequest = new Request(url, { method: 'POST', headers });
      const { valid } = await shopify.webhooks.validate({ rawBody: text, rawRequest });
      return valid;
    },
  },
  {
    scheme: 'twilio',
    name: 'twilio',
    bodies: 'json',
    load: async () => (await import('twilio')).default,
    sign(twilio, { secret, url, text }) {
      const fields = signsDigest(url) ? {} : formOf(text);
      return [['X-Twilio-Signature', twilio.getExpectedTwilioSignature(secret, url, fields)]];
    },
    verify(twilio, { secret, url, headers, text }) {
      const signature = headers['x-twilio-signature'];
      const algorithm = twilio.getSignatureAlgorithm(headers['x-twilio-webhooks-signature-settings']);
      return signsDigest(url)
        ? twilio.validateRequestWithBody(secret, signature, url, text, algorithm)
        : twilio.validateRequest(secret, signature, url, formOf(text), algorithm);
    },
  },
  {
    scheme: 'square',
    name: 'square',
    bodies: 'json',
    load: () => import('square'),
    verify({ WebhooksHelper }, { secret, url, headers, text }) {
      return WebhooksHelper.verifySignature({
        requestBody: text,
        signatureHeader: headers['x-square-hmacsha256-signature'],
        signatureKey: secret,
        notificationUrl: url,
      });
    },
  },
  {
    scheme: 'paddle',
    name: '@paddle/paddle-node-sdk',
    bodies: 'json',
    judgesTime: true,
    load: () => import('@paddle/paddle-node-sdk'),
    verify({ Paddle }, { secret, headers, text }) {
      return new Paddle('key').webhooks.isSignatureValid(text, secret, headers['paddle-signature']);
    },
    async read({ Paddle }, { secret, headers, text }) {
      const event = await new Paddle('key').webhooks.unmarshal(text, secret, headers['paddle-signature']);
      return { id: event.eventId, event: event.eventType, occurred_at_ms: Date.parse(event.occurredAt) };
    },
  },
  {
    // Meta's only one. This function is not exported, but is what its webhook
    // server compares with.
    scheme: 'meta',
    name: 'whatsapp',
    bodies: 'json',
    load() {
      const path = fileURLToPath(new URL('node_modules/whatsapp/build/utils.js', import.meta.url));
      return createRequire(import.meta.url)(path);
    },
    sign({ generateXHub256Sig }, { secret, text }) {
      return [['X-Hub-Signature-256', 'sha256=' + generateXHub256Sig(text, secret)]];
    },
  },
  {
    scheme: 'linear',
    name: '@linear/sdk',
    bodies: 'json',
    judgesTime: true,
    load: () => import('@linear/sdk/webhooks'),
    verify({ LinearWebhookClient }, { secret, headers, body }) {
      return new LinearWebhookClient(secret).verify(body, headers['linear-signature']);
    },
  },
  {
    scheme: 'zoom',
    name: '@zoom/rivet',
    bodies: 'compact',
    load: () => import('@zoom/rivet/chatbot'),
    // The receiver for AWS Lambda is the one that needs no port.
    async verify({ AwsLambdaReceiver }, { secret, headers, text }) {
      const receive = new AwsLambdaReceiver({ webhooksSecretToken: secret }).start();
      const { statusCode, body } = await receive({ headers, body: text, isBase64Encoded: false }, {});
      if (statusCode !== 200) throw new Error(`${statusCode} ${body}`);
      return true;
    },
  },
  {
    scheme: 'discord',
    name: 'discord-interactions',
    bodies: 'any',
    load: () => import('discord-interactions'),
    verify({ verifyKey }, { secret, headers, body }) {
      return verifyKey(body, headers['x-signature-ed25519'], headers['x-signature-timestamp'], secret);
    },
  },
  {
    scheme: 'sendgrid',
    name: '@sendgrid/eventwebhook',
    bodies: 'json',
    load: () => import('@sendgrid/eventwebhook'),
    verify({ EventWebhook, EventWebhookHeader }, { secret, headers, text }) {
      const webhook = new EventWebhook();
      const header = (name) => headers[name.toLowerCase()];
      return webhook.verifySignature(
        webhook.convertPublicKeyToECDSA(secret), text,
        header(EventWebhookHeader.SIGNATURE()), header(EventWebhookHeader.TIMESTAMP()));
    },
  },
];
