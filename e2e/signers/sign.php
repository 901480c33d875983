<?php
// What: signs deliveries the way CraneOps, Cryptr, Easytools and McEasy say they
// do, honestly or as a named forgery. JSON lines in, one JSON line out for each.
// Why: an independent implementation, sharing no code with Hooklatch, so that no
// verifier is only ever checked against its own signer. PHP is a language that
// Easytools' page has a sample in. sign.mjs, sign.py and sign.rb are its siblings;
// all must give the same bytes.
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

declare(strict_types=1);

const DAY_MS = 86400000;
const MAX_SAFE_INTEGER = 9007199254740991;
const FORGED_EVERYWHERE = [
    'forged-secret', 'forged-body', 'forged-truncated', 'forged-missing', 'forged-plain-sha256',
];
const VARIANTS = [
    'craneops' => ['honest' => [''], 'forged' => [...FORGED_EVERYWHERE, 'forged-prefix']],
    'cryptr' => [
        'honest' => ['', 'base64url', 'rotated'],
        'forged' => [...FORGED_EVERYWHERE, 'forged-no-time', 'forged-future', 'forged-stale'],
    ],
    'easytools' => [
        'honest' => ['', 'uppercase'],
        'forged' => [...FORGED_EVERYWHERE, 'forged-prefix'],
    ],
    'mceasy' => [
        'honest' => ['', 'string-key', 'v1.2'],
        'forged' => [
            ...FORGED_EVERYWHERE, 'forged-undecoded', 'forged-body-only', 'forged-future', 'forged-stale',
        ],
    ],
];

final class BadRequest extends Exception
{
}

// Warnings would mix with the answers; an error stops at its cause.
set_error_handler(function (int $severity, string $message): never {
    throw new ErrorException($message, 0, $severity);
});

// JSON strings arrive as valid UTF-8, or not at all.
function secretText(stdClass $request, string $field): string
{
    $value = $request->$field ?? null;
    if (!is_string($value) || $value === '') {
        throw new BadRequest("$field must be a non-empty string");
    }
    return $value;
}

function fromBase64(mixed $value, string $field): string
{
    if (!is_string($value)) {
        throw new BadRequest("$field must be a string");
    }
    $bytes = base64_decode($value, true);
    if ($bytes === false || base64_encode($bytes) !== $value) {
        throw new BadRequest("$field is not padded standard base64");
    }
    return $bytes;
}

function headerValue(mixed $value, string $field): string
{
    if (!is_string($value) || preg_match('/\A[ -~]*\z/', $value) !== 1) {
        throw new BadRequest("$field must be printable ASCII");
    }
    return $value;
}

// The sending time in milliseconds, moved for the two forgeries that lie about it.
function sendTime(stdClass $request, string $variant): int
{
    $at = $request->at_ms ?? null;
    if (is_float($at) && floor($at) === $at && abs($at) <= MAX_SAFE_INTEGER) {
        $at = (int) $at;
    }
    if (!is_int($at) || $at < 0 || $at > MAX_SAFE_INTEGER) {
        throw new BadRequest('at_ms must be a whole number, 0 or more');
    }
    $at += match ($variant) {
        'forged-future' => DAY_MS,
        'forged-stale' => -30 * DAY_MS,
        default => 0,
    };
    if ($at < 0 || $at > MAX_SAFE_INTEGER) {
        throw new BadRequest('at_ms is out of range for this variant');
    }
    return $at;
}

// 32 bytes: what the variant puts where the MAC belongs.
function macBytes(string $variant, string $secret, string $key, string $message): string
{
    if ($variant === 'forged-body') {
        $message .= ' ';
    }
    if ($variant === 'forged-plain-sha256') {
        return hash('sha256', $message, true);
    }
    if ($variant === 'forged-secret') {
        // Derived, and not the right key with something appended: HMAC pads short
        // keys with zero bytes, so that a longer key can be the same key.
        $key = hash('sha256', 'a stranger instead of ' . $secret, true);
    }
    return hash_hmac('sha256', $message, $key, true);
}

function shorten(string $variant, string $text): string
{
    return $variant === 'forged-truncated' ? substr($text, 0, intdiv(strlen($text), 2)) : $text;
}

// CraneOps and Easytools: hex HMAC of the body, nothing else.
function bodyMacHex(stdClass $request, string $variant, string $body): string
{
    $secret = secretText($request, 'secret');
    $hex = bin2hex(macBytes($variant, $secret, $secret, $body));
    return match ($variant) {
        'uppercase' => strtoupper($hex),
        'forged-prefix' => 'sha256=' . $hex,
        default => shorten($variant, $hex),
    };
}

function craneops(stdClass $request, string $variant, string $body): array
{
    $headers = [];
    if (isset($request->event)) {
        $headers[] = ['X-CraneOps-Event', headerValue($request->event, 'event')];
    }
    return [$headers, ['X-CraneOps-Signature', bodyMacHex($request, $variant, $body)]];
}

function easytools(stdClass $request, string $variant, string $body): array
{
    return [[], ['X-Webhook-Signature', bodyMacHex($request, $variant, $body)]];
}

function cryptr(stdClass $request, string $variant, string $body): array
{
    $secret = secretText($request, 'secret');
    $seconds = (string) intdiv(sendTime($request, $variant), 1000);
    $timeless = $variant === 'forged-no-time';
    $message = $timeless ? $body : "$seconds.$body";

    $mac = macBytes($variant, $secret, $secret, $message);
    $text = $variant === 'base64url'
        ? rtrim(strtr(base64_encode($mac), '+/', '-_'), '=')
        : shorten($variant, bin2hex($mac));
    $elements = $timeless ? [] : ["t=$seconds"];
    $elements[] = "v1=sha256.$text";
    if ($variant === 'rotated') {
        $previous = secretText($request, 'previous_secret');
        $elements[] = 'v0=sha256.' . bin2hex(macBytes($variant, $previous, $previous, $message));
    }
    return [[], ['cryptr-signature', implode(',', $elements)]];
}

function mceasy(stdClass $request, string $variant, string $body): array
{
    $secret = secretText($request, 'secret');
    $key = fromBase64($secret, 'secret');
    $key = match ($variant) {
        'string-key' => iconv('ISO-8859-1', 'UTF-8', $key),
        'forged-undecoded' => $secret,
        default => $key,
    };
    $time = (string) sendTime($request, $variant);
    $event = $request->event ?? null;
    if (!is_string($event) || preg_match('/\A[0-9]+\z/', $event) !== 1) {
        throw new BadRequest('event must be a string of digits');
    }

    $headers = [
        ['User-Agent', 'McEasyWebhookService/1.0'],
        ['X-McEasyWebhook-Timestamp', $time],
        ['X-McEasyWebhook-Event', $event],
    ];
    if (isset($request->occurrence_id)) {
        $headers[] = ['X-McEasyWebhook-Occurrence-ID', headerValue($request->occurrence_id, 'occurrence_id')];
    }
    $message = $variant === 'forged-body-only' ? $body : implode('|>', [$time, $event, $body]);
    $mac = base64_encode(macBytes($variant, $secret, $key, $message));
    $version = $variant === 'v1.2' ? 'v1.2:' : 'v1.0:';
    return [$headers, ['X-McEasyWebhook-Signature', $version . shorten($variant, $mac)]];
}

function sign(mixed $request): array
{
    if (!$request instanceof stdClass) {
        throw new BadRequest('the line is not a JSON object');
    }
    $provider = $request->provider ?? null;
    if (!is_string($provider) || !array_key_exists($provider, VARIANTS)) {
        throw new BadRequest('unknown provider');
    }
    $variant = $request->variant ?? '';
    if (!in_array($variant, array_merge(...array_values(VARIANTS[$provider])), true)) {
        throw new BadRequest('this provider has no such variant');
    }
    $body = fromBase64($request->body_base64 ?? null, 'body_base64');

    [$headers, $signature] = $provider($request, $variant, $body);
    array_unshift($headers, ['Content-Type', 'application/json']);
    if ($variant !== 'forged-missing') {
        $headers[] = $signature;
    }
    return ['headers' => $headers];
}

function answer(string $line): array
{
    try {
        $request = json_decode($line, false, 512, JSON_THROW_ON_ERROR);
    } catch (JsonException) {
        return ['error' => 'the line is not JSON'];
    }
    try {
        return sign($request);
    } catch (BadRequest $error) {
        return ['error' => $error->getMessage()];
    } catch (Throwable $error) {
        return ['error' => 'internal: ' . $error->getMessage()];
    }
}

function main(array $arguments): int
{
    if ($arguments === ['--list']) {
        echo json_encode(VARIANTS, JSON_THROW_ON_ERROR), "\n";
        return 0;
    }
    if ($arguments !== []) {
        fwrite(STDERR, "usage: sign.php [--list]\n");
        return 2;
    }
    while (($line = fgets(STDIN)) !== false) {
        echo json_encode(answer($line), JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";
    }
    return 0;
}

exit(main(array_slice($argv, 1)));
