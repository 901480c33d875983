// An application that takes what the official Standard Webhooks library accepts
// under the secret in SIGNING_SECRET. It prints its port once it listens, and
// ends with its input.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SIGNING_SECRET);

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    try {
      webhook.verify(Buffer.concat(pieces), request.headers);
      response.writeHead(204).end();
    } catch (error) {
      response.writeHead(401, { "X-Receiver": error.message }).end();
    }
  });
});

server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on("end", () => process.exit()).resume();
