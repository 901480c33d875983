// What: signs deliveries the way CraneOps, Cryptr, Easytools and McEasy say they
// do, honestly or as a named forgery. JSON lines in, one JSON line out for each.
// Why: an independent implementation, sharing no code with Hooklatch, so that no
// verifier is only ever checked against its own signer. sign.py, sign.php and
// sign.rb are its siblings; all must give the same bytes.
// Source of the rules: the providers' own pages:
//   CraneOps   "API & Webhooks", section "Webhook Security - HMAC Signature Verification"
//   Cryptr     the webhooks page, the steps on verifying the cryptr-signature header
//   Easytools  "Generate webhook signing key"
//   McEasy     the webhook "Overview", sections Header and Security
//
// Request:  {"provider","secret","body_base64","at_ms","event","occurrence_id",
//            "variant","previous_secret"}
// Answer:   {"headers":[["Name","value"],...]} or {"error":"..."}
// --list prints the variants of each provider.

import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';

const DAY_MS = 86_400_000;
const FORGED_EVERYWHERE = [
  'forged-secret', 'forged-body', 'forged-truncated', 'forged-missing', 'forged-plain-sha256',
];
const VARIANTS = new Map([
  ['craneops', { honest: [''], forged: [...FORGED_EVERYWHERE, 'forged-prefix'] }],
  ['cryptr', {
    honest: ['', 'base64url', 'rotated'],
    forged: [...FORGED_EVERYWHERE, 'forged-no-time', 'forged-future', 'forged-stale'],
  }],
  ['easytools', { honest: ['', 'uppercase'], forged: [...FORGED_EVERYWHERE, 'forged-prefix'] }],
  ['mceasy', {
    honest: ['', 'string-key', 'v1.2'],
    forged: [
      ...FORGED_EVERYWHERE, 'forged-undecoded', 'forged-body-only', 'forged-future', 'forged-stale',
    ],
  }],
]);

class BadRequest extends Error {}

function need(condition, complaint) {
  if (!condition) throw new BadRequest(complaint);
}

function secretText(value, field) {
  need(typeof value === 'string' && value !== '', `${field} must be a non-empty string`);
  need(value.isWellFormed(), `${field} is not valid Unicode`);
  return value;
}

function fromBase64(value, field) {
  need(typeof value === 'string', `${field} must be a string`);
  const bytes = Buffer.from(value, 'base64');
  need(bytes.toString('base64') === value, `${field} is not padded standard base64`);
  return bytes;
}

function headerValue(value, field) {
  need(typeof value === 'string' && /^[ -~]*$/.test(value), `${field} must be printable ASCII`);
  return value;
}

// The sending time, moved for the two forgeries that only lie about the time.
function sendTime(request, variant) {
  need(Number.isSafeInteger(request.at_ms) && request.at_ms >= 0,
    'at_ms must be a whole number, 0 or more');
  let ms = request.at_ms;
  if (variant === 'forged-future') ms += DAY_MS;
  if (variant === 'forged-stale') ms -= 30 * DAY_MS;
  need(ms >= 0 && Number.isSafeInteger(ms), 'at_ms is out of range for this variant');
  return ms;
}

// A key that has nothing to do with the right one. It is derived, not the right
// one with something appended, because HMAC pads short keys with zero bytes.
function strangerKey(secret) {
  return createHash('sha256').update('a stranger instead of ' + secret, 'utf8').digest();
}

// 32 bytes: the MAC the variant asks for over the given parts.
function macBytes(variant, secret, key, parts) {
  const hash = variant === 'forged-plain-sha256'
    ? createHash('sha256')
    : createHmac('sha256', variant === 'forged-secret' ? strangerKey(secret) : key);
  for (const part of parts) hash.update(part);
  if (variant === 'forged-body') hash.update(' ');
  return hash.digest();
}

function shorten(variant, text) {
  return variant === 'forged-truncated' ? text.slice(0, text.length / 2) : text;
}

// CraneOps and Easytools: hex HMAC of the body, nothing else.
function bodyMacHex(request, variant, body) {
  const secret = secretText(request.secret, 'secret');
  const hex = macBytes(variant, secret, Buffer.from(secret, 'utf8'), [body]).toString('hex');
  if (variant === 'uppercase') return hex.toUpperCase();
  if (variant === 'forged-prefix') return 'sha256=' + hex;
  return shorten(variant, hex);
}

const SIGNERS = {
  craneops(request, variant, body) {
    const headers = [];
    if (request.event !== undefined && request.event !== null) {
      headers.push(['X-CraneOps-Event', headerValue(request.event, 'event')]);
    }
    return [headers, 'X-CraneOps-Signature', bodyMacHex(request, variant, body)];
  },

  easytools(request, variant, body) {
    return [[], 'X-Webhook-Signature', bodyMacHex(request, variant, body)];
  },

  cryptr(request, variant, body) {
    const secret = secretText(request.secret, 'secret');
    const seconds = String(Math.floor(sendTime(request, variant) / 1000));
    const parts = variant === 'forged-no-time' ? [body] : [seconds, '.', body];
    const element = (name, text, encoding) => {
      const mac = macBytes(variant, text, Buffer.from(text, 'utf8'), parts);
      return `${name}=sha256.${shorten(variant, mac.toString(encoding))}`;
    };
    const elements = variant === 'forged-no-time' ? [] : ['t=' + seconds];
    elements.push(element('v1', secret, variant === 'base64url' ? 'base64url' : 'hex'));
    if (variant === 'rotated') {
      elements.push(element('v0', secretText(request.previous_secret, 'previous_secret'), 'hex'));
    }
    return [[], 'cryptr-signature', elements.join(',')];
  },

  mceasy(request, variant, body) {
    const secret = secretText(request.secret, 'secret');
    let key = fromBase64(secret, 'secret');
    if (variant === 'string-key') key = Buffer.from(key.toString('latin1'), 'utf8');
    if (variant === 'forged-undecoded') key = Buffer.from(secret, 'utf8');
    const time = String(sendTime(request, variant));
    const event = request.event;
    need(typeof event === 'string' && /^[0-9]+$/.test(event), 'event must be a string of digits');

    const headers = [
      ['User-Agent', 'McEasyWebhookService/1.0'],
      ['X-McEasyWebhook-Timestamp', time],
      ['X-McEasyWebhook-Event', event],
    ];
    if (request.occurrence_id !== undefined && request.occurrence_id !== null) {
      headers.push(['X-McEasyWebhook-Occurrence-ID',
        headerValue(request.occurrence_id, 'occurrence_id')]);
    }
    const parts = variant === 'forged-body-only' ? [body] : [time, '|>', event, '|>', body];
    const mac = macBytes(variant, secret, key, parts).toString('base64');
    const label = variant === 'v1.2' ? 'v1.2:' : 'v1.0:';
    return [headers, 'X-McEasyWebhook-Signature', label + shorten(variant, mac)];
  },
};

function sign(request) {
  need(typeof request === 'object' && request !== null && !Array.isArray(request),
    'the line is not a JSON object');
  const known = VARIANTS.get(request.provider);
  need(known !== undefined, 'unknown provider');
  const variant = request.variant ?? '';
  need(known.honest.includes(variant) || known.forged.includes(variant),
    'this provider has no such variant');
  const body = fromBase64(request.body_base64, 'body_base64');

  const [headers, name, signature] = SIGNERS[request.provider](request, variant, body);
  headers.unshift(['Content-Type', 'application/json']);
  if (variant !== 'forged-missing') headers.push([name, signature]);
  return { headers };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function answer(line) {
  let request;
  try {
    request = JSON.parse(strictUtf8.decode(line));
  } catch {
    return { error: 'the line is not JSON' };
  }
  try {
    return sign(request);
  } catch (error) {
    return { error: error instanceof BadRequest ? error.message : `internal: ${error}` };
  }
}

async function reply(line) {
  if (!process.stdout.write(JSON.stringify(answer(line)) + '\n')) {
    await once(process.stdout, 'drain');
  }
}

async function main() {
  let pending = [];
  for await (const chunk of process.stdin) {
    let start = 0;
    for (let end; (end = chunk.indexOf(0x0a, start)) !== -1; start = end + 1) {
      await reply(Buffer.concat([...pending, chunk.subarray(start, end)]));
      pending = [];
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length > 0) await reply(Buffer.concat(pending));
}

process.stdout.on('error', () => process.exit(1)); // the reader has gone

const args = process.argv.slice(2);
if (args.length === 1 && args[0] === '--list') {
  console.log(JSON.stringify(Object.fromEntries(VARIANTS)));
} else if (args.length > 0) {
  console.error('usage: sign.mjs [--list]');
  process.exitCode = 2;
} else {
  await main();
}
