# What: signs deliveries the way CraneOps, Cryptr, Easytools and McEasy say they
# do, honestly or as a named forgery. JSON lines in, one JSON line out for each.
# Why: an independent implementation, sharing no code with Hooklatch, so that no
# verifier is only ever checked against its own signer. sign.mjs, sign.php and
# sign.rb are its siblings; all must give the same bytes.
# Source of the rules: the providers' own pages:
#   CraneOps   "API & Webhooks", section "Webhook Security - HMAC Signature Verification"
#   Cryptr     the webhooks page, the steps on verifying the cryptr-signature header
#   Easytools  "Generate webhook signing key"
#   McEasy     the webhook "Overview", sections Header and Security
#
# Request:  {"provider","secret","body_base64","at_ms","event","occurrence_id",
#            "variant","previous_secret"}
# Answer:   {"headers":[["Name","value"],...]} or {"error":"..."}
# --list prints the variants of each provider.

import base64
import hashlib
import hmac
import json
import re
import sys

DAY_MS = 24 * 60 * 60 * 1000
MAX_SAFE_INTEGER = 2**53 - 1

_COMMON = [
    "forged-secret",
    "forged-body",
    "forged-truncated",
    "forged-missing",
    "forged-plain-sha256",
]
VARIANTS = {
    "craneops": {"honest": [""], "forged": _COMMON + ["forged-prefix"]},
    "cryptr": {
        "honest": ["", "base64url", "rotated"],
        "forged": _COMMON + ["forged-no-time", "forged-future", "forged-stale"],
    },
    "easytools": {"honest": ["", "uppercase"], "forged": _COMMON + ["forged-prefix"]},
    "mceasy": {
        "honest": ["", "string-key", "v1.2"],
        "forged": _COMMON
        + ["forged-undecoded", "forged-body-only", "forged-future", "forged-stale"],
    },
}


class BadRequest(Exception):
    pass


def text_secret(request, field):
    """The secret as the bytes of its text."""
    value = request.get(field)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{field} must be a non-empty string")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadRequest(f"{field} is not valid Unicode") from None


def unbase64(value, field):
    if not isinstance(value, str):
        raise BadRequest(f"{field} must be a string")
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        raw = None
    if raw is None or base64.b64encode(raw).decode() != value:
        raise BadRequest(f"{field} is not padded standard base64")
    return raw


def printable(value, field):
    if not isinstance(value, str) or not re.fullmatch(r"[ -~]*", value):
        raise BadRequest(f"{field} must be printable ASCII")
    return value


def sending_time(request, variant):
    """Unix milliseconds; two forgeries lie about nothing but this."""
    at = request.get("at_ms")
    if isinstance(at, float) and at.is_integer():
        at = int(at)
    if type(at) is not int or not 0 <= at <= MAX_SAFE_INTEGER:
        raise BadRequest("at_ms must be a whole number, 0 or more")
    at += {"forged-future": DAY_MS, "forged-stale": -30 * DAY_MS}.get(variant, 0)
    if not 0 <= at <= MAX_SAFE_INTEGER:
        raise BadRequest("at_ms is out of range for this variant")
    return at


def digest_for(variant, secret, key, message):
    """The 32 bytes the variant puts where the MAC belongs."""
    if variant == "forged-body":
        message += b" "
    if variant == "forged-plain-sha256":
        return hashlib.sha256(message).digest()
    if variant == "forged-secret":
        # Derived, and not the right key with something appended: HMAC pads short
        # keys with zero bytes, so a longer key can be the same key.
        key = hashlib.sha256(b"a stranger instead of " + secret).digest()
    return hmac.new(key, message, hashlib.sha256).digest()


def cut(variant, text):
    return text[: len(text) // 2] if variant == "forged-truncated" else text


def hex_of_body(request, variant, body):
    """CraneOps and Easytools sign the body and nothing else."""
    secret = text_secret(request, "secret")
    text = digest_for(variant, secret, secret, body).hex()
    if variant == "uppercase":
        return text.upper()
    if variant == "forged-prefix":
        return "sha256=" + text
    return cut(variant, text)


def craneops(request, variant, body):
    headers = []
    if request.get("event") is not None:
        headers.append(["X-CraneOps-Event", printable(request["event"], "event")])
    return headers, ["X-CraneOps-Signature", hex_of_body(request, variant, body)]


def easytools(request, variant, body):
    return [], ["X-Webhook-Signature", hex_of_body(request, variant, body)]


def cryptr(request, variant, body):
    secret = text_secret(request, "secret")
    seconds = str(sending_time(request, variant) // 1000)
    timeless = variant == "forged-no-time"
    message = body if timeless else seconds.encode() + b"." + body

    def mac_text(key):
        raw = digest_for(variant, key, key, message)
        if variant == "base64url":
            return base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return cut(variant, raw.hex())

    value = "" if timeless else f"t={seconds},"
    value += "v1=sha256." + mac_text(secret)
    if variant == "rotated":
        value += ",v0=sha256." + mac_text(text_secret(request, "previous_secret"))
    return [], ["cryptr-signature", value]


def mceasy(request, variant, body):
    secret = text_secret(request, "secret")
    key = unbase64(request["secret"], "secret")
    if variant == "string-key":
        key = key.decode("latin-1").encode("utf-8")
    elif variant == "forged-undecoded":
        key = secret
    time = str(sending_time(request, variant))
    event = request.get("event")
    if not isinstance(event, str) or not re.fullmatch(r"[0-9]+", event):
        raise BadRequest("event must be a string of digits")

    headers = [
        ["User-Agent", "McEasyWebhookService/1.0"],
        ["X-McEasyWebhook-Timestamp", time],
        ["X-McEasyWebhook-Event", event],
    ]
    occurrence = request.get("occurrence_id")
    if occurrence is not None:
        headers.append(
            ["X-McEasyWebhook-Occurrence-ID", printable(occurrence, "occurrence_id")]
        )
    message = body
    if variant != "forged-body-only":
        message = b"|>".join([time.encode(), event.encode(), body])
    mac = base64.b64encode(digest_for(variant, secret, key, message)).decode()
    version = "v1.2" if variant == "v1.2" else "v1.0"
    return headers, ["X-McEasyWebhook-Signature", f"{version}:{cut(variant, mac)}"]


SIGNERS = {"craneops": craneops, "cryptr": cryptr, "easytools": easytools, "mceasy": mceasy}


def sign(request):
    if not isinstance(request, dict):
        raise BadRequest("the line is not a JSON object")
    provider = request.get("provider")
    if not isinstance(provider, str) or provider not in VARIANTS:
        raise BadRequest("unknown provider")
    variant = request.get("variant")
    if variant is None:
        variant = ""
    if variant not in VARIANTS[provider]["honest"] + VARIANTS[provider]["forged"]:
        raise BadRequest("this provider has no such variant")
    body = unbase64(request.get("body_base64"), "body_base64")

    headers, signature = SIGNERS[provider](request, variant, body)
    headers.insert(0, ["Content-Type", "application/json"])
    if variant != "forged-missing":
        headers.append(signature)
    return {"headers": headers}


def no_constant(name):
    raise ValueError(name)  # NaN and the infinities are not JSON


def answer(line):
    try:
        request = json.loads(line.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError):
        return {"error": "the line is not JSON"}
    try:
        return sign(request)
    except BadRequest as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"internal: {error!r}"}


def main():
    if sys.argv[1:] == ["--list"]:
        print(json.dumps(VARIANTS, separators=(",", ":")))
        return 0
    if sys.argv[1:]:
        print("usage: sign.py [--list]", file=sys.stderr)
        return 2
    for line in sys.stdin.buffer:
        out = json.dumps(answer(line.removesuffix(b"\n")), separators=(",", ":"))
        sys.stdout.write(out + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BrokenPipeError, KeyboardInterrupt):
        sys.stderr.close()
        sys.exit(1)
