// What: sends the HTTP requests it reads as JSON lines, one after the other, with
// Node's own fetch, and writes one JSON line for each answer.
// Why: Hooklatch is to be tried with HTTP clients it shares no code with, as its
// callers will be; with the signers beside it, an independent implementation, so
// that no verifier is only ever checked against its own signer.
// Source of the rule: no provider's; what is sent is signed by signers/sign.mjs or
// signers/sign.py, after the providers' pages named there.
//
// Request:  {"url","method","headers":[[name,value],...],"body_base64"}
// Answer:   {"status","headers":{"lower-case name":"value"},"body_base64"} or {"error"}
//
// What fetch will not do: repeat a header name or set Host (it would join the values,
// or ignore ours; both are errors here, use send.py), send a GET or HEAD with a body,
// use a port on its block list, or leave a compressed answer alone. It also adds
// headers of its own.

import { once } from 'node:events';

const TIMEOUT_MS = 30_000;

function why(error) {
  const parts = [];
  for (let e = error; e && parts.length < 4; e = e.cause) {
    parts.push([e.code, e.message].filter((x) => typeof x === 'string' && x !== '').join(' ') || String(e));
  }
  return parts.join(': ') || 'unknown error';
}

async function send({ url, method = 'POST', headers: pairs = [], body_base64: encoded = '' }) {
  const names = pairs.map(([name]) => name.toLowerCase());
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new Error(`fetch cannot repeat the header ${repeated}`);
  if (names.includes('host')) throw new Error('fetch cannot set the header host');

  const headers = new Headers(pairs);
  // One connection per request, so that a restarted server costs no request, and
  // no compression unless asked for.
  if (!headers.has('connection')) headers.set('connection', 'close');
  if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity');

  const body = Buffer.from(encoded, 'base64');
  if (body.toString('base64') !== encoded) throw new Error('body_base64 is not base64');
  const bodiless = body.length === 0 && ['GET', 'HEAD'].includes(method.toUpperCase());
  const response = await fetch(url, {
    method,
    headers,
    body: bodiless ? undefined : body,
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const content = Buffer.from(await response.arrayBuffer());
  const received = {};
  for (const [name, value] of response.headers) {
    received[name] = Object.hasOwn(received, name) ? `${received[name]}, ${value}` : value;
  }
  return { status: response.status, headers: received, body_base64: content.toString('base64') };
}

async function reply(line) {
  let result;
  try {
    result = await send(JSON.parse(line.toString('utf8')));
  } catch (error) {
    result = { error: why(error) };
  }
  if (!process.stdout.write(JSON.stringify(result) + '\n')) await once(process.stdout, 'drain');
}

process.stdout.on('error', () => process.exit(1)); // the reader has gone

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
