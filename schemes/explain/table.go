package explain

import (
	"html"
	"slices"
)

// row is a kind of mistake: where it is made, how to undo it and what to
// report. In both sentences, {} stands for the words of a variant.
type row struct {
	name     string
	part     part
	what, do string
	tried    string // its entry in Tried

	// try yields the candidates, each with the words of its variant.
	try func(s *search, c candidate, yield func(next candidate, words string) bool)

	// text and key replace try in the rows for secrets: they yield other texts
	// and other keys of one. A row with key is either for schemes whose key is
	// the text of the secret or for the others.
	text func(secret string, yield func(text string))
	key  func(secret string, yield func(key []byte))
	keys keyKind

	most  int  // the largest body, in bytes; default: maxChanged
	many  bool // it has too many variants to be the first of two rows in its part
	alone bool // it is not tried together with another row

	signed bool // the body was signed after the change
}

// maxChanged is the largest body, in bytes, that is encoded, decoded or
// rewritten.
const maxChanged = 1 << 20

// maxCut is the largest body, in bytes, that is truncated or whose line ends
// are changed.
const maxCut = 16 << 20

func (r *row) secret() bool { return r.text != nil || r.key != nil }

func (r *row) largest() int {
	if r.most > 0 {
		return r.most
	}
	return maxChanged
}

// goesWith reports whether the second row is tried on the candidates of the
// first. Headers come first, since nothing else can be tried until the scheme
// can read them. A row with many variants is not the first of two in the body;
// the other order covers that pair. A change from before the signature is
// undone after one that was made since.
func (r *row) goesWith(second *row) bool {
	switch {
	case second.alone:
		return false
	case r.part == second.part:
		return r.part == inBody && !r.many && (second.signed || !r.signed)
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

// change is a change that can be made to a body, in both directions: the kept
// body may be the one before it or the one after it.
type change struct {
	name string
	// undone tries the bodies before the change, and done those after it,
	// starting from the kept body.
	undone, done changeBody
	// kept and signed describe the mistake if the kept or the signed body is
	// the changed one. keptDo and signedDo say what to do.
	kept, keptDo     string
	signed, signedDo string

	tried    string
	most     int
	many     bool // of both ways
	manyDone bool
}

// rows returns the rows for both directions.
func (c *change) rows() (all []row) {
	if c.undone != nil {
		all = append(all, row{
			name: c.name, part: inBody, what: c.kept, do: c.keptDo, tried: c.tried, try: onBody(c.undone), most: c.most, many: c.many,
		})
	}
	if c.done != nil {
		all = append(all, row{
			name: "signed: " + c.name, part: inBody, what: c.signed, do: c.signedDo, try: onBody(c.done), most: c.most, many: c.many || c.manyDone,
			signed: true,
		})
	}
	return all
}

// changes lists the changes of bodies, in the order in which they are tried.
var changes = []change{
	// The ends of a body and of its lines.
	{
		name: "line end", undone: cutLineEnd, done: addLineEnd, most: maxCut, tried: triedBody,
		kept: "the body has a line end at its end that is not signed", keptDo: surplusDo,
		signed: "the body lacks a line end at its end that is signed", signedDo: lackingDo,
	},
	{
		name: "white space", undone: toOne(trimSpace), most: maxCut,
		kept: "the body has blanks or line ends around it that are not signed", keptDo: surplusDo,
	},
	{
		name: "CR LF", undone: toOne(toLF), done: toOne(toCRLF), most: maxCut,
		kept: "the lines of the body end in CR LF, and in LF where it was signed", keptDo: "the line ends were converted: " + asSent,
		signed: "the lines of the body end in LF, and in CR LF where it was signed", signedDo: "the line ends were converted: " + asSent,
	},
	{
		name: "no line ends", done: toOne(withoutLineEnds), most: maxCut,
		signed: "the body was signed without its line ends", signedDo: "curl -d @FILE drops line ends: sign and send with --data-binary @FILE",
	},
	{
		name: "byte order mark", undone: toOne(cutMark), done: toOne(addMark), most: maxCut,
		kept: "the body has a byte order mark in front that is not signed", keptDo: "keep or write the body as UTF-8 without a byte order mark",
		signed: "the body lacks a byte order mark that is signed", signedDo: asSent,
	},

	// The same text, written differently.
	{
		name: "JSON written anew", undone: rewritten, many: true, tried: "its JSON written otherwise",
		kept: "the signature is the one of the same JSON, {}", keptDo: parsed,
	},
	{
		name: "character set", undone: decodedAs(false), done: encodedAs(false),
		kept: "the body is in another character set, {}, and was signed in UTF-8", keptDo: asText,
		signed: "the body is in UTF-8, and was signed in another character set, {}", signedDo: asText,
	},
	{
		name: "UTF-8 twice", undone: encodedAs(true), done: decodedAs(true),
		kept: "the body is UTF-8 that was read as {} and encoded once more", keptDo: asText,
		signed: "the sender read its UTF-8 as {} and encoded it once more before it signed", signedDo: "have the sender sign the bytes that it sends",
	},
	{
		name: "UTF-16", undone: fromUTF16, done: intoUTF16,
		kept: "the body is in UTF-16, and was signed in UTF-8", keptDo: asText + "; Windows PowerShell writes UTF-16 with >",
		signed: "the body is in UTF-8, and was signed in UTF-16", signedDo: asText,
	},
	{
		name: "word processor", undone: asTyped, done: asWritten,
		kept:   "the body has characters of a word processor, such as curly quotes or non-breaking spaces, in place of those that were signed",
		keptDo: "copy it with an editor for plain text: " + asSent,
		signed: "the body lacks characters of a word processor, such as curly quotes or non-breaking spaces, that are signed", signedDo: asSent,
	},

	// Containers of a body.
	{
		name: "form's field", undone: fieldValue, done: intoField, manyDone: true,
		kept: "the body is a form, and only the value of its field was signed", keptDo: sameForm,
		signed: "the body was decoded from the form's field {}, and the form was signed", signedDo: "keep the whole body of the request, and not the field's value: " + asSent,
	},
	{
		name: "form's part", undone: formPart,
		kept: "the body is multipart/form-data, and only one part of it was signed", keptDo: sameForm,
	},
	{
		name: "form written anew", undone: formAnew, many: true,
		kept: "the form was written anew: the signature is the one of the same fields, escaped or sorted otherwise", keptDo: "something parses the form and writes it anew, such as a framework or a proxy: " + asSent,
	},
	{
		name: "form as JSON", undone: jsonToForm, done: formToJSON, many: true,
		kept: "the body is JSON, and the same fields were signed as a form", keptDo: "something parses the form and keeps its fields as JSON: " + asSent,
		signed: "the body is a form, and the same fields were signed as JSON", signedDo: sameForm,
	},
	{
		name: "bytes as numbers", undone: fromBytes, done: intoBytes,
		kept: "the body was kept as a program prints its bytes, such as a Node Buffer or an array of numbers, and its bytes were signed", keptDo: "write the bytes themselves, and not JSON.stringify or a log of them",
		signed: "the sender signed the bytes as a program prints them, such as JSON of a Node Buffer, in place of the bytes", signedDo: "have the sender sign the bytes themselves, and not JSON.stringify or a log of them",
	},
	{
		name: "platform's event", undone: fromEvent(true), done: intoEvent, manyDone: true,
		kept: "what was kept is JSON around the body, such as a platform's event, whose {} is what was sent", keptDo: "take that member as the body; where isBase64Encoded is true, decode it from base64",
		signed: "the JSON around the body was signed, such as a platform's event, whose {} was kept", signedDo: "keep the whole event, and not a member of it: " + asSent,
	},
	{
		name: "member", undone: fromEvent(false), many: true,
		kept: "what was kept is JSON around the body: {} is what was sent", keptDo: "take that member as the body",
	},
	{
		name: "JSON string", undone: unquoted, done: quotedJSON,
		kept: "the body was kept as a JSON string, in quotes or with escapes", keptDo: "keep the text itself, not JSON that is encoded once more",
		signed: "the body was signed as a JSON string, in quotes and with escapes", signedDo: "have the sender sign the body itself, not JSON that is encoded once more",
	},
	{
		name: "Python bytes", undone: fromPython, done: toOne(intoPython),
		kept: "the body was kept as Python prints bytes, in b'…'", keptDo: "write the bytes themselves to the file: sys.stdout.buffer.write, or a file opened with wb",
		signed: "the body was signed as Python prints bytes, in b'…'", signedDo: "have the sender sign the bytes themselves, and not str(body)",
	},
	{
		name: "whole request", undone: afterHead,
		kept: "what was kept is a whole request, with its headers before the body", keptDo: "keep the headers in one file and the body in another",
	},
	{
		name: "chunks", undone: dechunked,
		kept: "what was kept has the sizes of the chunks of a transfer in it", keptDo: "keep the body as an HTTP server reads it, and not the bytes of the connection",
	},
	{
		name: "HTML", undone: toText(html.UnescapeString), done: escapedHTML,
		kept: "the body was kept with the escapes of HTML, such as &quot;", keptDo: "copy the text of the page, and not its source: " + asSent,
		signed: "the body was signed with the escapes of HTML, such as &quot;", signedDo: sameForm,
	},

	// Encodings of a whole body.
	{
		name: "percent-encoding", undone: percentDecoded, done: percentEncoded,
		kept: "the body is percent-encoded, and was signed decoded", keptDo: sameForm,
		signed: "the body was signed percent-encoded", signedDo: sameForm,
	},
	{
		name: "blanks as + or %20", undone: replacing("+", " ", "%20", " ", "%20", "+", "+", "%20", " ", "+", " ", "%20"),
		kept: "the body has +, %20 or blanks where another of them was signed", keptDo: "something decodes a part of the body as part of a URL: " + asSent,
	},
	{
		name: "data: URL", undone: fromDataURL, done: intoDataURL, manyDone: true,
		kept: "the body was kept as a data: URL, and what it stands for was signed", keptDo: "keep the bytes themselves, and not a data: URL of them, as readAsDataURL makes it",
		signed: "a data: URL of the body was signed", signedDo: sameForm,
	},
	{
		name: "base64", undone: fromBase64, done: intoBase64,
		kept: "the body is base64, and was signed decoded", keptDo: "decode it: some gateways and logs keep bodies in base64",
		signed: "the body was signed in base64", signedDo: sameForm,
	},
	{
		name: "hex", undone: fromHex, done: intoHex,
		kept: "the body is hex, and was signed decoded", keptDo: "decode it: some logs and databases keep bodies in hex",
		signed: "the body was signed in hex", signedDo: sameForm,
	},
	{
		name: "compression", undone: decompressed,
		kept: "the body is compressed with {}, and was signed before it was compressed", keptDo: "have the sender sign what it sends, or decompress the body before it is verified",
	},
}

// table lists the mistakes in the order in which they are tried. If two rows
// can explain a delivery, the first one is reported.
var table = slices.Concat(bodyRows(), otherRows)

func bodyRows() (all []row) {
	for i := range changes {
		all = append(all, changes[i].rows()...)
	}
	return all
}

// otherRows are the rows for all parts except the body.
var otherRows = []row{
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

	// The user's own definition. Its search takes long, but it explains the
	// form of a key better than the rows after it.
	{name: "definition", part: inDefinition, try: otherDefinitions, alone: true},

	// The key that a secret stands for.
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
		name: "older header", part: inScheme, try: olderHeader, alone: true,
		what: "the delivery has the older signature alone: {}", do: "keep, and pass on, all headers: the provider sends the newer signature, which this scheme reads, beside it",
	},
	{
		name: "other scheme", part: inScheme, try: otherSchemes, alone: true, tried: "all other schemes",
		what: "it is a delivery of another provider: as {} it is authentic",
		do:   "write the scheme {}, or point the sender at the endpoint that has it",
	},

	// The signature header and the other signed headers.
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
	{
		name: "compressed", part: inBody, try: onBody(compressed), alone: true, most: maxPaired, // last, because it takes long
		what: "the body was signed compressed with {}, and is decompressed here", do: "something decompresses bodies on the way: " + asSent,
	},
}
