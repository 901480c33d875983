# What: sends the HTTP requests it reads as JSON lines, one after the other, with
# http.client, and writes one JSON line for each answer.
# Why: Hooklatch is to be tried with HTTP clients it shares no code with, as its
# callers will be; with the signers beside it, an independent implementation, so
# that no verifier is only ever checked against its own signer.
# Source of the rule: no provider's; what is sent is signed by signers/sign.mjs or
# signers/sign.py, after the providers' pages named there.
#
# Request:  {"url","method","headers":[[name,value],...],"body_base64"}
# Answer:   {"status","headers":{"lower-case name":"value"},"body_base64"} or {"error"}
#
# Headers go out in the order given, repeated names included, and the body as it is.
# Only Host and Content-Length are added, and only where the request has none.

import base64
import http.client
import json
import signal
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 30


def on_alarm(signum, frame):
    raise TimeoutError(f"no complete answer within {TIMEOUT_S} s")


def connect(url):
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("url must be http:// or https:// with a host")
    if "@" in url.netloc:
        raise ValueError("url must carry no user name")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname, url.port, timeout=TIMEOUT_S)


def send(request):
    url = urlsplit(request["url"])
    method = request.get("method", "POST")
    headers = request.get("headers", [])
    body = base64.b64decode(request.get("body_base64", ""), validate=True)
    given = {name.lower() for name, _ in headers}

    connection = connect(url)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.putrequest(
            method, target, skip_host="host" in given, skip_accept_encoding=True
        )
        for name, value in headers:
            connection.putheader(name, value)
        if not given & {"content-length", "transfer-encoding"}:
            if body or method.upper() not in ("GET", "HEAD"):
                connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()

    received = {}
    for name, value in response.getheaders():
        name = name.lower()
        received[name] = f"{received[name]}, {value}" if name in received else value
    return {
        "status": response.status,
        "headers": received,
        "body_base64": base64.b64encode(content).decode(),
    }


def answer(line):
    # The socket's own timeout is for each read; the alarm is for the whole request.
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT_S)
    try:
        return send(json.loads(line))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answer(line), separators=(",", ":")) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.stderr.close()
        sys.exit(1)
