// Signs for the conformance suite with node:crypto, without any code of
// Hooklatch. It answers each line of JSON with a line:
//   {"op":"pair","algorithm","form"}                    {"public","private"}
//   {"op":"hash","algorithm","text"}                    {"signature"}
//   {"op":"sign","algorithm","key" or "private","text"} {"signature"}
// key, text and signature are base64, private is PKCS #8 in base64. The answer
// to a failed request is {"error"}.

import { createHash, createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { createInterface } from 'node:readline';

const bytes = (text) => Buffer.from(text, 'base64');

// A public key in one of the forms of a definition.
function written(key, form) {
  const spki = key.export({ type: 'spki', format: 'der' });
  const raw = spki.subarray(-32); // of Ed25519
  switch (form) {
    case 'pem': return key.export({ type: 'spki', format: 'pem' });
    case 'spki': return spki.toString('base64');
    case 'hex': return raw.toString('hex');
    case 'base64': return raw.toString('base64');
    case 'whpk_': return 'whpk_' + raw.toString('base64');
  }
  throw new Error(`no public key is written as ${form}`);
}

function pair({ algorithm, form }) {
  const made = algorithm === 'ed25519'
    ? generateKeyPairSync('ed25519')
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    public: written(made.publicKey, form),
    private: made.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  };
}

function signature({ op, algorithm, key, private: pkcs8, text }) {
  const hash = algorithm.replace('hmac-', '');
  if (op === 'hash') return createHash(hash).update(bytes(text)).digest();
  if (!pkcs8) return createHmac(hash, bytes(key)).update(bytes(text)).digest();
  const own = createPrivateKey({ key: bytes(pkcs8), format: 'der', type: 'pkcs8' });
  return sign(algorithm === 'ed25519' ? null : 'sha256', bytes(text), own);
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const asked = JSON.parse(line);
    answer = asked.op === 'pair' ? pair(asked) : { signature: signature(asked).toString('base64') };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
