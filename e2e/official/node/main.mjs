// What: lets the providers' own libraries sign and verify deliveries. JSON lines
// in, one JSON line out for each. The Go program one folder up speaks the same.
// Why: the libraries are what a provider's customers run, so that what they sign
// must be accepted and what they refuse must not be.
//
// Request:  {"library","scheme","secret","body_base64","at_ms","now_ms","url","id",
//            "headers":[["Name","value"],...]}
// Answer:   {"headers":[["Name","value"],...]} to a request without headers, which
//           is to be signed; {"accepted":true} or {"refused":"why"} to one with
//           headers, which is to be verified; or {"error":"..."}. Where the library
//           reads the event too, "read" has its id, its type and when it occurred.
// {"list":true} is answered with {"libraries":[...]}: what each of them can do.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { libraries } from './libraries.mjs';
import { setClock } from './clock.mjs';

// What a library prints must not mix with the answers.
for (const level of ['debug', 'info', 'log', 'warn']) console[level] = () => {};

function list() {
  return libraries.map((l) => ({
    library: l.name,
    version: JSON.parse(readFileSync(new URL(`node_modules/${l.name}/package.json`, import.meta.url))).version,
    scheme: l.scheme,
    bodies: l.bodies,
    signs: l.sign !== undefined,
    verifies: l.verify !== undefined,
    judges_time: l.judgesTime === true,
  }));
}

// As Node's http has them: names in lower case, repetitions joined.
function headersOf(pairs) {
  const headers = {};
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    headers[key] = Object.hasOwn(headers, key) ? `${headers[key]}, ${value}` : value;
  }
  return headers;
}

async function answer(request) {
  if (request.list) return { libraries: list() };
  const library = libraries.find((l) => l.name === request.library && l.scheme === request.scheme);
  if (library === undefined) throw new Error('no such library for this scheme');
  const body = Buffer.from(request.body_base64, 'base64');
  const delivery = {
    secret: request.secret,
    body,
    text: body.toString('utf8'),
    at: new Date(request.at_ms),
    url: request.url,
    id: request.id,
    headers: headersOf(request.headers ?? []),
  };
  setClock(request.now_ms);
  // Outside of what may refuse: a library that does not load says nothing.
  const loaded = await library.load();
  if (request.headers === undefined) return { headers: await library.sign(loaded, delivery) };
  try {
    if (!await library.verify(loaded, delivery)) return { refused: 'it said no' };
  } catch (error) {
    return { refused: String(error.message) };
  }
  return { accepted: true, read: await readBy(library, loaded, delivery) };
}

// A body that is no event of the library's is authentic all the same.
async function readBy(library, loaded, delivery) {
  try {
    return await library.read?.(loaded, delivery);
  } catch {
    return undefined;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(JSON.parse(line)).catch((error) => ({ error: String(error.stack) }));
  process.stdout.write(JSON.stringify(said) + '\n');
}
