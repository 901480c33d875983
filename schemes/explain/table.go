package explain

// row is a kind of mistake: where it is made, how it is undone, what to say of
// it. In both sentences {} stands for the words of a variant.
type row struct {
	name     string
	part     part
	what, do string
	tried    string // what to say where it was tried in vain

	// try makes the candidates, each with the words of its variant.
	try func(s *search, c candidate, yield func(next candidate, words string) bool)

	// text and key are there in place of try for secrets: they make other texts
	// of one, and other keys. A key's row is for secrets whose text is the key
	// or for the others.
	text func(secret string, yield func(text string))
	key  func(secret string, yield func(key []byte))
	keys keyKind

	most  int  // the largest body, in bytes; default: maxChanged
	many  bool // it has too many variants to go before another row of its part
	alone bool // it is not tried together with another row
}

// maxChanged is the largest body that is encoded, decoded or written anew.
const maxChanged = 1 << 20

// maxCut is the largest body of which ends are cut off or line ends changed.
const maxCut = 16 << 20

func (r *row) secret() bool { return r.text != nil || r.key != nil }

func (r *row) largest() int {
	if r.most > 0 {
		return r.most
	}
	return maxChanged
}

// goesWith reports whether the second row is tried on what the first one makes.
// Headers come first, since nothing can be tried until the scheme can read them.
// Two mistakes in one body are undone in one order only if the first one has
// many variants.
func (r *row) goesWith(second *row) bool {
	switch {
	case second.alone:
		return false
	case r.part == second.part:
		return r.part == inBody && !r.many
	case r.part == inHeaders || second.part == inSecret:
		return true
	}
	return second.part == inURL
}

const (
	asSent    = "pass on, and keep, the bytes as they were sent; if they are, have the sender sign the bytes that it sends"
	sameForm  = "sign and send the same form of the body: what stands on the wire is what counts"
	surplusDo = "take it off: an editor or echo adds one to a file (printf does not); if it was sent so, have the sender sign the bytes that it sends"
	lackingDo = "keep it: a shell and an editor drop line ends, curl --data-binary does not; if it was sent so, have the sender sign the bytes that it sends"
	parsed    = "something parses the JSON and writes it anew, such as a framework, a proxy or a log: " + asSent
	asText    = "something reads the body as text and writes it in another character set: " + asSent
	oneUnit   = "have the sender write and sign the time as the scheme says, or give a scheme_definition the unit that it writes"
	wholeHead = "keep, and pass on, the header as it was sent"

	triedBody   = "the body with other line ends, encoded, or empty"
	triedSecret = "the secret encoded, decoded, trimmed and quoted"
)

// table has the mistakes in the order in which they are tried. Where two rows can
// explain one delivery, the first one does.
var table = []row{
	// The ends of a body and of its lines.
	{
		name: "line end added", part: inBody, try: onBody(cutLineEnd), most: maxCut, tried: triedBody,
		what: "the body has a line end at its end that is not signed", do: surplusDo,
	},
	{
		name: "line end lost", part: inBody, try: onBody(addLineEnd), most: maxCut,
		what: "the body lacks a line end at its end that is signed", do: lackingDo,
	},
	{
		name: "white space around it", part: inBody, try: onBody(trimSpace), most: maxCut,
		what: "the body has blanks or line ends around it that are not signed", do: surplusDo,
	},
	{
		name: "CR LF in place of LF", part: inBody, try: onBody(toLF), most: maxCut,
		what: "the lines of the body end in CR LF, and in LF where it was signed", do: "the line ends were converted: " + asSent,
	},
	{
		name: "LF in place of CR LF", part: inBody, try: onBody(toCRLF), most: maxCut,
		what: "the lines of the body end in LF, and in CR LF where it was signed", do: "the line ends were converted: " + asSent,
	},
	{
		name: "signed without line ends", part: inBody, try: onBody(withoutLineEnds), most: maxCut,
		what: "the body was signed without its line ends", do: "curl -d @FILE drops line ends: sign and send with --data-binary @FILE",
	},
	{
		name: "byte order mark added", part: inBody, try: onBody(cutMark), most: maxCut,
		what: "the body has a byte order mark in front that is not signed", do: "keep or write the body as UTF-8 without a byte order mark",
	},
	{
		name: "byte order mark lost", part: inBody, try: onBody(addMark), most: maxCut,
		what: "the body lacks a byte order mark that is signed", do: asSent,
	},

	// The same JSON, written otherwise.
	{
		name: "JSON written anew", part: inBody, try: onBody(rewritten), many: true, tried: "its JSON written otherwise",
		what: "the signature is the one of the same JSON, {}", do: parsed,
	},

	// Character sets.
	{
		name: "other character set", part: inBody, try: onBody(fromByteSet),
		what: "the body is in another character set, {}, and was signed in UTF-8", do: asText,
	},
	{
		name: "signed in another character set", part: inBody, try: onBody(intoByteSet),
		what: "the body is in UTF-8, and was signed in another character set, {}", do: asText,
	},
	{
		name: "UTF-8 encoded twice", part: inBody, try: onBody(decodedTwice),
		what: "the body is UTF-8 that was read as {} and encoded once more", do: asText,
	},
	{
		name: "signed as UTF-8 encoded twice", part: inBody, try: onBody(encodedTwice),
		what: "the sender read its UTF-8 as {} and encoded it once more before it signed", do: "have the sender sign the bytes that it sends",
	},
	{
		name: "UTF-16", part: inBody, try: onBody(fromUTF16),
		what: "the body is in UTF-16, and was signed in UTF-8", do: asText + "; Windows PowerShell writes UTF-16 with >",
	},
	{
		name: "signed in UTF-16", part: inBody, try: onBody(intoUTF16),
		what: "the body is in UTF-8, and was signed in UTF-16", do: asText,
	},

	// What carries a body.
	{
		name: "form's field kept", part: inBody, try: onBody(intoField), many: true, most: maxPaired,
		what: "the body was decoded from the form's field {}, and the form was signed", do: "keep the whole body of the request, and not the field's value: " + asSent,
	},
	{
		name: "form's field signed", part: inBody, try: onBody(fieldValue),
		what: "the body is a form, and only the value of its field was signed", do: sameForm,
	},
	{
		name: "form written anew", part: inBody, try: onBody(formAnew),
		what: "the form was written anew: the signature is the one of the same fields, escaped or sorted otherwise", do: "something parses the form and writes it anew, such as a framework or a proxy: " + asSent,
	},
	{
		name: "form kept as JSON", part: inBody, try: onBody(jsonToForm),
		what: "the body is JSON, and the same fields were signed as a form", do: "something parses the form and keeps its fields as JSON: " + asSent,
	},
	{
		name: "JSON sent as a form", part: inBody, try: onBody(formToJSON),
		what: "the body is a form, and the same fields were signed as JSON", do: sameForm,
	},
	{
		name: "platform's event", part: inBody, try: onBody(envelope),
		what: "what was kept is JSON around the body, such as a platform's event, whose {} is what was sent", do: "take that member as the body; where isBase64Encoded is true, decode it from base64",
	},
	{
		name: "Node Buffer", part: inBody, try: onBody(fromBuffer),
		what: "the body was kept as JSON of a Node Buffer, and its bytes were signed", do: "write the buffer itself, and not JSON.stringify of it",
	},
	{
		name: "signed as a Node Buffer", part: inBody, try: onBody(intoBuffer),
		what: "the sender signed the JSON of a Node Buffer in place of its bytes", do: "have the sender sign the buffer itself, and not JSON.stringify of it",
	},
	{
		name: "JSON string kept", part: inBody, try: onBody(unquoted),
		what: "the body was kept as a JSON string, in quotes or with escapes", do: "keep the text itself, not JSON that is encoded once more",
	},
	{
		name: "JSON string signed", part: inBody, try: onBody(quotedJSON),
		what: "the body was signed as a JSON string, in quotes and with escapes", do: "have the sender sign the body itself, not JSON that is encoded once more",
	},
	{
		name: "Python bytes", part: inBody, try: onBody(pythonBytes),
		what: "the body was kept as Python prints bytes, in b'…'", do: "write the bytes themselves to the file: sys.stdout.buffer.write, or a file opened with wb",
	},
	{
		name: "whole request kept", part: inBody, try: onBody(afterHead),
		what: "what was kept is a whole request, with its headers before the body", do: "keep the headers in one file and the body in another",
	},
	{
		name: "chunks kept", part: inBody, try: onBody(dechunked),
		what: "what was kept has the sizes of the chunks of a transfer in it", do: "keep the body as an HTTP server reads it, and not the bytes of the connection",
	},
	{
		name: "HTML kept", part: inBody, try: onBody(unescapedHTML),
		what: "the body was kept with the escapes of HTML, such as &quot;", do: "copy the text of the page, and not its source: " + asSent,
	},
	{
		name: "HTML signed", part: inBody, try: onBody(escapedHTML),
		what: "the body was signed with the escapes of HTML, such as &quot;", do: sameForm,
	},

	// Encodings of a whole body.
	{
		name: "percent-encoded", part: inBody, try: onBody(percentDecoded),
		what: "the body is percent-encoded, and was signed decoded", do: sameForm,
	},
	{
		name: "signed percent-encoded", part: inBody, try: onBody(percentEncoded),
		what: "the body was signed percent-encoded", do: sameForm,
	},
	{
		name: "base64", part: inBody, try: onBody(fromBase64),
		what: "the body is base64, and was signed decoded", do: "decode it: some gateways and logs keep bodies in base64",
	},
	{
		name: "signed in base64", part: inBody, try: onBody(intoBase64),
		what: "the body was signed in base64", do: sameForm,
	},
	{
		name: "hex", part: inBody, try: onBody(fromHex),
		what: "the body is hex, and was signed decoded", do: "decode it: some logs and databases keep bodies in hex",
	},
	{
		name: "signed in hex", part: inBody, try: onBody(intoHex),
		what: "the body was signed in hex", do: sameForm,
	},
	{
		name: "compressed", part: inBody, try: onBody(decompressed),
		what: "the body is compressed with {}, and was signed before it was compressed", do: "have the sender sign what it sends, or decompress the body before it is verified",
	},
	{
		name: "signed compressed", part: inBody, try: onBody(compressed), alone: true,
		what: "the body was signed compressed with {}, and is decompressed here", do: "something decompresses bodies on the way: " + asSent,
	},

	// The URL, before the empty body: a digest in a URL stands for a body.
	{
		name: "digest not last", part: inURL, try: digestNotLast, alone: true,
		what: "the URL has bodySHA256, but does not end with it", do: "have the URL end with bodySHA256, as in ?foo=1&bodySHA256=…: elsewhere it can be a form's field that was moved there",
	},
	{
		name: "empty body signed", part: inBody, try: emptyBody, most: 1 << 62,
		what: "the signature is the one of an empty body",
		do:   "the sender read its body before it signed, so that nothing was left: have it sign the bytes that it sends",
	},
	{
		name: "other URL", part: inURL, try: inRequest(otherURLs), many: true,
		what: "the sender signed another URL: {}", tried: "another scheme, host, port, path and query of the URL, and other methods",
		do: "configure the same URL at the sender and in public_url, and write it as --url here: a proxy in front can change scheme, host and path",
	},
	{
		name: "WebSocket", part: inURL, try: inRequest(webSocketURLs),
		what: "the sender signed the URL for a WebSocket, with {}", do: "give the provider an https URL for webhooks: a delivery opens no tunnel",
	},
	{
		name: "query written anew", part: inURL, try: inRequest(otherQueries),
		what: "the sender signed the query otherwise: {}", do: "something parses the query and writes it anew, such as a proxy or a framework: pass on the URL as it was sent",
	},
	{
		name: "other method", part: inURL, try: inRequest(otherMethods),
		what: "the sender signed the method {}", do: "have it send with the method that it signs, or write --method {}",
	},

	// The text of a secret.
	{
		name: "white space around the secret", part: inSecret, text: trimmedSecret, tried: triedSecret,
		what: "the secret has blanks or line ends around it", do: "write it without them; only one line end at the end of a file is taken off",
	},
	{
		name: "quotes around the secret", part: inSecret, text: unquotedSecret,
		what: "the secret has quotes around it", do: "write it without the quotes",
	},
	{
		name: "surplus whsec_", part: inSecret, text: withoutWhsec,
		what: "the sender's key is the secret without the whsec_ in front of it", do: "sign with the whole secret, or write it without whsec_ if the provider says so",
	},
	{
		name: "whsec_ lacking", part: inSecret, text: withWhsec,
		what: "the secret lacks the whsec_ in front of it", do: "write the whole secret, with whsec_",
	},
	{
		name: "sender's line end", part: inSecret, text: secretWithLineEnd,
		what: "the sender's secret has a line end behind it", do: "take it out of the sender's secret; until then configure a file with one more line end, of which one is taken off",
	},
	{
		name: "sender's quotes", part: inSecret, text: secretInQuotes,
		what: "the sender's secret has quotes around it", do: "take them out of the sender's secret; until then write them into the configured one, within quotes of the other kind",
	},
	{
		name: "secret percent-encoded", part: inSecret, text: percentDecodedSecret,
		what: "the secret is percent-encoded, and the sender's is not", do: "write the secret decoded: it was copied from a URL",
	},
	{
		name: "secret's case", part: inSecret, text: secretInOtherCase,
		what: "the secret is the sender's in other case", do: "write the secret in the same case as the sender has it",
	},

	// A definition of the user's own. The search takes long, and says how a key is
	// written better than the rows after it.
	{name: "definition", part: inDefinition, try: otherDefinitions, alone: true},

	// What a secret stands for.
	{
		name: "secret not decoded by the sender", part: inSecret, key: textOfSecret, keys: keyIsDecoded,
		what: "the sender signs with the text of the secret, and this scheme's key is what it decodes to",
		do:   "have the sender decode the secret, or write a scheme_definition with key text",
	},
	{
		name: "secret decoded from base64", part: inSecret, key: base64Key, keys: keyIsText,
		what: "the sender decodes the secret from base64 before it signs, and this scheme's key is its text",
		do:   "have the sender sign with the text, or configure what it decodes to: {file.PATH} of a file that `base64 -d` writes",
	},
	{
		name: "secret decoded from hex", part: inSecret, key: hexKey, keys: keyIsText,
		what: "the sender decodes the secret from hex before it signs, and this scheme's key is its text",
		do:   "have the sender sign with the text, or configure what it decodes to: {file.PATH} of a file that `xxd -r -p` writes",
	},
	{
		name: "secret otherwise in base64", part: inSecret, key: base64Key, keys: keyIsDecoded,
		what: "the sender decodes the secret from base64, and this scheme decodes it otherwise",
		do:   "have the sender decode it as this scheme does, or write a scheme_definition with key base64",
	},
	{
		name: "secret otherwise in hex", part: inSecret, key: hexKey, keys: keyIsDecoded,
		what: "the sender decodes the secret from hex, and this scheme decodes it otherwise",
		do:   "have the sender decode it as this scheme does, or write a scheme_definition with key hex",
	},

	// Another scheme.
	{
		name: "other scheme", part: inScheme, try: otherSchemes, alone: true, tried: "all other schemes",
		what: "it is a delivery of another provider: as {} it is authentic",
		do:   "write the scheme {}, or point the sender at the endpoint that has it",
	},

	// The headers of the signature and of what is signed with it.
	{
		name: "header percent-encoded", part: inHeaders, try: inValues(percentDecodedValue),
		what: "the signature is percent-encoded in its header", do: wholeHead + ": something encodes it as part of a URL",
	},
	{
		name: "header's + lost", part: inHeaders, try: inValues(plusesForBlanks),
		what: "the signature has blanks where it had +", do: wholeHead + ": something decodes it as part of a form",
	},
	{
		name: "header escaped", part: inHeaders, try: inValues(unescapedValue),
		what: "the header of the signature has the quotes or escapes of JSON", do: wholeHead + ", and not as a log prints it",
	},
	{
		name: "blanks in the header", part: inHeaders, try: inValues(withoutBlanks),
		what: "the header of the signature has blanks in it", do: wholeHead + ": something writes lists anew",
	},
	{
		name: "header twice", part: inHeaders, try: oneOfTheValues,
		what: "the header of the signature has several values, of which one is right", do: "have the sender, or the proxy in front, write that header once",
	},
	{
		name: "time signed in another unit", part: inHeaders, try: signedTime, tried: "other units of the time",
		what: "the time is signed in {}, and the header has it otherwise", do: oneUnit,
	},
	{
		name: "time sent in another unit", part: inHeaders, try: sentTime,
		what: "the time in {}", do: oneUnit,
	},
	{
		name: "older version", part: inHeaders, try: olderVersion, alone: true, tried: "older versions of the signature",
		what: "the secret matches v{} alone, which this scheme passes over",
		do:   "configure the secret that the provider signs with now: an older version is for tests, or for the previous secret",
	},
	{
		name: "body alone signed", part: inHeaders, try: bodyAlone,
		what: "the sender signed the body alone, without the rest that this scheme signs",
		do:   "have it sign what `hooklatch webhook schemes` says of this scheme, or name the scheme by which it signs",
	},
	{
		name: "signature cut off", part: inHeaders, try: written(cutOff), alone: true,
		what: "the signature is right but cut off: its end is missing",
		do:   "pass on, and keep, the whole header: some logs and proxies shorten long values",
	},
	{
		name: "other hash", part: inHeaders, try: written(otherHash), alone: true,
		what: "the signature is made with {}", do: "have the sender sign with the other hash, or write a scheme_definition with that algorithm",
	},
	{
		name: "signature in another form", part: inHeaders, try: written(otherForm), alone: true,
		what: "the signature is right, but not written as this scheme has it; it is {} as sent",
		do:   "look at its prefix, its encoding and its padding; have the sender write it so, or write a scheme_definition",
	},
	{
		name: "token in place of a signature", part: inScheme, try: tokenAlone, alone: true,
		what: "the delivery has no signature, but {}: a secret that is sent as it is and signs nothing",
		do:   "give the provider's webhook a secret that signs, and write that one here: who has seen one delivery knows a token",
	},
	{
		name: "headers of another scheme", part: inScheme, try: headersOfAnother, alone: true,
		what: "the headers are those of another provider: {}",
		do:   "write the scheme {} with its secret, or point the sender at the endpoint that has it",
	},
}
