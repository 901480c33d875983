# frozen_string_literal: true

# What: signs deliveries the way CraneOps, Cryptr, Easytools and McEasy say they
# do, honestly or as a named forgery. JSON lines in, one JSON line out for each.
# Why: an independent implementation, sharing no code with Hooklatch, so that no
# verifier is only ever checked against its own signer. Ruby is the language of
# Cryptr's samples. sign.mjs, sign.py and sign.php are its siblings; all must give
# the same bytes.
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

require 'json'
require 'openssl'

DAY_MS = 86_400_000
MAX_SAFE_INTEGER = (2**53) - 1
FORGED_EVERYWHERE = %w[
  forged-secret forged-body forged-truncated forged-missing forged-plain-sha256
].freeze
VARIANTS = {
  'craneops' => { honest: [''], forged: FORGED_EVERYWHERE + ['forged-prefix'] },
  'cryptr' => {
    honest: ['', 'base64url', 'rotated'],
    forged: FORGED_EVERYWHERE + %w[forged-no-time forged-future forged-stale]
  },
  'easytools' => { honest: ['', 'uppercase'], forged: FORGED_EVERYWHERE + ['forged-prefix'] },
  'mceasy' => {
    honest: ['', 'string-key', 'v1.2'],
    forged: FORGED_EVERYWHERE + %w[forged-undecoded forged-body-only forged-future forged-stale]
  }
}.freeze

class BadRequest < StandardError; end

def need(condition, complaint)
  raise BadRequest, complaint unless condition
end

# The secret as the bytes of its text.
def secret_text(request, field)
  value = request[field]
  need(value.is_a?(String) && !value.empty?, "#{field} must be a non-empty string")
  need(value.valid_encoding?, "#{field} is not valid Unicode")
  value.b
end

def from_base64(value, field)
  need(value.is_a?(String), "#{field} must be a string")
  bytes = value.unpack1('m')
  need([bytes].pack('m0') == value, "#{field} is not padded standard base64")
  bytes
end

def header_value(value, field)
  need(value.is_a?(String) && value.match?(/\A[ -~]*\z/), "#{field} must be printable ASCII")
  value
end

# The sending time in milliseconds, moved for the two forgeries that lie about it.
def send_time(request, variant)
  at = request['at_ms']
  at = at.to_i if at.is_a?(Float) && at.finite? && at == at.floor
  need(at.is_a?(Integer) && at.between?(0, MAX_SAFE_INTEGER), 'at_ms must be a whole number, 0 or more')
  at += { 'forged-future' => DAY_MS, 'forged-stale' => -30 * DAY_MS }.fetch(variant, 0)
  need(at.between?(0, MAX_SAFE_INTEGER), 'at_ms is out of range for this variant')
  at
end

# 32 bytes: what the variant puts where the MAC belongs.
def mac_bytes(variant, secret, key, message)
  message += ' ' if variant == 'forged-body'
  return OpenSSL::Digest::SHA256.digest(message) if variant == 'forged-plain-sha256'

  # Derived, and not the right key with something appended: HMAC pads short keys
  # with zero bytes, so that a longer key can be the same key.
  key = OpenSSL::Digest::SHA256.digest('a stranger instead of '.b + secret) if variant == 'forged-secret'
  OpenSSL::HMAC.digest('SHA256', key, message)
end

def hex(bytes)
  bytes.unpack1('H*')
end

def shorten(variant, text)
  variant == 'forged-truncated' ? text[0, text.length / 2] : text
end

# CraneOps and Easytools: hex HMAC of the body, nothing else.
def body_mac_hex(request, variant, body)
  secret = secret_text(request, 'secret')
  text = hex(mac_bytes(variant, secret, secret, body))
  case variant
  when 'uppercase' then text.upcase
  when 'forged-prefix' then "sha256=#{text}"
  else shorten(variant, text)
  end
end

def craneops(request, variant, body)
  event = request['event']
  headers = event.nil? ? [] : [['X-CraneOps-Event', header_value(event, 'event')]]
  [headers, ['X-CraneOps-Signature', body_mac_hex(request, variant, body)]]
end

def easytools(request, variant, body)
  [[], ['X-Webhook-Signature', body_mac_hex(request, variant, body)]]
end

def cryptr(request, variant, body)
  secret = secret_text(request, 'secret')
  seconds = (send_time(request, variant) / 1000).to_s
  timeless = variant == 'forged-no-time'
  message = timeless ? body : "#{seconds}.".b + body

  mac = mac_bytes(variant, secret, secret, message)
  text = variant == 'base64url' ? [mac].pack('m0').tr('+/', '-_').delete('=') : shorten(variant, hex(mac))
  elements = timeless ? [] : ["t=#{seconds}"]
  elements << "v1=sha256.#{text}"
  if variant == 'rotated'
    previous = secret_text(request, 'previous_secret')
    elements << "v0=sha256.#{hex(mac_bytes(variant, previous, previous, message))}"
  end
  [[], ['cryptr-signature', elements.join(',')]]
end

def mceasy(request, variant, body)
  secret = secret_text(request, 'secret')
  key = from_base64(request['secret'], 'secret')
  key = key.dup.force_encoding('ISO-8859-1').encode('UTF-8').b if variant == 'string-key'
  key = secret if variant == 'forged-undecoded'
  time = send_time(request, variant).to_s
  event = request['event']
  need(event.is_a?(String) && event.match?(/\A[0-9]+\z/), 'event must be a string of digits')

  headers = [
    ['User-Agent', 'McEasyWebhookService/1.0'],
    ['X-McEasyWebhook-Timestamp', time],
    ['X-McEasyWebhook-Event', event]
  ]
  occurrence = request['occurrence_id']
  headers << ['X-McEasyWebhook-Occurrence-ID', header_value(occurrence, 'occurrence_id')] unless occurrence.nil?
  message = variant == 'forged-body-only' ? body : "#{time}|>#{event}|>".b + body
  mac = [mac_bytes(variant, secret, key, message)].pack('m0')
  version = variant == 'v1.2' ? 'v1.2:' : 'v1.0:'
  [headers, ['X-McEasyWebhook-Signature', version + shorten(variant, mac)]]
end

SIGNERS = {
  'craneops' => method(:craneops), 'cryptr' => method(:cryptr),
  'easytools' => method(:easytools), 'mceasy' => method(:mceasy)
}.freeze

def sign(request)
  need(request.is_a?(Hash), 'the line is not a JSON object')
  known = VARIANTS[request['provider']]
  need(!known.nil?, 'unknown provider')
  variant = request['variant'] || ''
  need(known.values.any? { |names| names.include?(variant) }, 'this provider has no such variant')
  body = from_base64(request['body_base64'], 'body_base64')

  headers, signature = SIGNERS[request['provider']].call(request, variant, body)
  headers.unshift(['Content-Type', 'application/json'])
  headers << signature unless variant == 'forged-missing'
  { headers: headers }
end

def answer(line)
  line.force_encoding('UTF-8')
  raise EncodingError unless line.valid_encoding?

  sign(JSON.parse(line))
rescue JSON::ParserError, EncodingError
  { error: 'the line is not JSON' }
rescue BadRequest => e
  { error: e.message }
rescue StandardError => e
  { error: "internal: #{e.message}" }
end

def main(arguments)
  if arguments == ['--list']
    puts JSON.generate(VARIANTS)
    return 0
  end
  unless arguments.empty?
    warn 'usage: sign.rb [--list]'
    return 2
  end
  $stdin.binmode
  $stdout.sync = true
  $stdin.each_line { |line| puts JSON.generate(answer(line)) }
  0
rescue Errno::EPIPE, Interrupt # the reader has gone
  1
end

exit(main(ARGV))
