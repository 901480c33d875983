// What: prints what Zoom's own library answers to a handshake. One JSON object
// in: {"secret","headers","body"}; the library's status and body out, as JSON.
// Why: the answer of the gateway has to be the same.

import { text } from 'node:stream/consumers';

import { AwsLambdaReceiver } from '@zoom/rivet/chatbot';

const print = console.log;
for (const level of ['debug', 'info', 'log', 'warn']) console[level] = () => {};

const { secret, headers, body } = JSON.parse(await text(process.stdin));
const receive = new AwsLambdaReceiver({ webhooksSecretToken: secret }).start();
const { statusCode, body: said } = await receive({ headers, body, isBase64Encoded: false }, {});
print(JSON.stringify({ status: statusCode, body: said }));
