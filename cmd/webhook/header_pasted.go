package webhook

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// unpasted turns text copied from terminals, browsers and logs into the headers
// that it contains, as lines or an object. It returns any other text unchanged.
func unpasted(text string) string {
	for _, turn := range []func(string) (string, bool){
		fromLogLine, fromCurlTrace, fromCommand, fromNested, fromJava, fromSections, fromMarkedLines, fromTwoLines,
	} {
		if other, ok := turn(text); ok {
			text = other
		}
	}
	return text
}

// logTime matches the beginning of a log line.
var logTime = regexp.MustCompile(`^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s\]]*\]?\s`)

// fromLogLine extracts the object from a single log line.
func fromLogLine(text string) (string, bool) {
	line := strings.TrimSpace(text)
	if strings.Contains(line, "\n") || !logTime.MatchString(line) {
		return "", false
	}
	begin := strings.IndexByte(line, '{')
	if at := strings.Index(line, "map["); at >= 0 && (begin < 0 || at < begin) {
		begin = at
	}
	if begin < 0 {
		return "", false
	}
	return line[begin:], true
}

// fromCurlTrace extracts the request from the output of curl -v. Lines of the
// request begin with >, those of the answer with <, and curl's own with another
// sign.
func fromCurlTrace(text string) (string, bool) {
	var request []string
	trace, asked := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "> "):
			request = append(request, line)
			asked = true
		case strings.HasPrefix(line, "* "), strings.HasPrefix(line, "< "), strings.HasPrefix(line, "{ ["), strings.HasPrefix(line, "} ["):
			request = append(request, "") // keeps the line numbers
			trace = true
		case line != "" && line != ">" && line != "<" && line != "*":
			return "", false
		default:
			request = append(request, "")
		}
	}
	return strings.Join(request, "\n"), trace && asked
}

// fromCommand extracts the headers from a curl command, or from its options.
func fromCommand(text string) (string, bool) {
	words, ok := shellWords(text)
	if !ok || len(words) == 0 || words[0] != "curl" && words[0] != "-H" && words[0] != "--header" {
		return "", false
	}
	var lines []string
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "-H", "--header":
			i++
			lines = append(lines, words[i])
		}
	}
	return strings.Join(lines, "\n"), lines != nil
}

// shellWords splits a command as a shell does, but expands nothing.
func shellWords(text string) (words []string, ok bool) {
	var word strings.Builder
	begun, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		ch := text[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(text):
			if i++; text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			if text[i] != '\n' {
				word.WriteByte(text[i])
				begun = true
			}
		case quote != 0 && ch == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(ch)
		case ch == '\'' || ch == '"':
			quote, begun = ch, true
		case strings.IndexByte(" \t\r\n", ch) >= 0:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(ch)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words, quote == 0
}

// fromNested extracts the headers from the JSON of a platform's event, a log or
// an archive of requests, which contains them in a member.
func fromNested(text string) (string, bool) { return fromNestedWithin(text, maxNesting) }

// maxNesting bounds how deeply the headers may be nested, since each level
// reads the rest again.
const maxNesting = 8

func fromNestedWithin(text string, depth int) (string, bool) {
	if depth == 0 {
		return "", false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return "", false
	}
	for _, name := range []string{"multiValueHeaders", "headers", "Headers", "requestHeaders"} {
		if found := string(members[name]); strings.HasPrefix(found, "{") || strings.HasPrefix(found, "[") {
			before, _, _ := strings.Cut(text, found)
			return strings.Repeat("\n", strings.Count(before, "\n")) + found, true
		}
	}
	for _, name := range []string{"request", "req", "event", "Request"} {
		if found, ok := fromNestedWithin(string(members[name]), depth-1); ok {
			return found, true
		}
	}
	return "", false
}

// javaEntry matches a header as a Java map prints it, and springEntry the
// beginning of headers as Spring prints them.
var (
	javaEntry   = regexp.MustCompile(`^([A-Za-z0-9!#$%&'*+.^_|~-]+)=\[(.*?)\](?:, |\}\s*$)`)
	springEntry = regexp.MustCompile(`^\s*\[[A-Za-z0-9-]+:"`)
)

// fromJava converts headers as Java prints them.
func fromJava(text string) (string, bool) {
	if springEntry.MatchString(text) {
		return "{" + strings.TrimSuffix(strings.TrimSpace(text)[1:], "]") + "}", true
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "{")
	var lines []string
	for ok && rest != "" {
		found := javaEntry.FindStringSubmatch(rest)
		if found == nil {
			return "", false
		}
		lines = append(lines, found[1]+": "+found[2])
		rest = rest[len(found[0]):]
	}
	return strings.Join(lines, "\n"), lines != nil
}

// fromSections removes the titles that browsers print, and the section of the
// answer.
func fromSections(text string) (string, bool) {
	var lines []string
	titles, answer := false, false
	for line := range strings.Lines(text) {
		switch title := strings.ToLower(strings.Trim(line, " \t\r\n:")); title {
		case "general", "request headers", "response headers":
			titles, answer = true, title == "response headers"
			line = "\n"
		}
		if answer {
			line = "\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ""), titles
}

// markedLine matches a line with a name and a value, as lists and tables in
// languages and pages print it.
var markedLine = regexp.MustCompile(`^\s*(?:[-*+] (?P<yaml>[^:]+: .*)|\| *(?P<name>[^|]*?) *\| *(?P<value>[^|]*?) *\||\[(?P<php>[^\]]+)\] => ?(?P<printed>.*)|["'](?P<quoted>[^:"']+:[^"']*)["'],?)\s*$`)

// fromMarkedLines removes the marks around each line.
func fromMarkedLines(text string) (string, bool) {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if bare := strings.Trim(line, " \t"); bare == "" || bare == "Array" || bare == "(" || bare == ")" || strings.Trim(bare, "|-: ") == "" {
			continue
		}
		found := markedLine.FindStringSubmatch(line)
		if found == nil {
			return "", false
		}
		part := func(name string) string { return found[markedLine.SubexpIndex(name)] }
		switch {
		case part("name") != "":
			lines = append(lines, part("name")+": "+part("value"))
		case part("php") != "":
			lines = append(lines, part("php")+": "+part("printed"))
		default:
			lines = append(lines, part("yaml")+part("quoted"))
		}
	}
	return strings.Join(lines, "\n"), lines != nil
}

// fromTwoLines joins names and values on alternating lines, as browsers copy
// their tables.
func fromTwoLines(text string) (string, bool) {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) < 2 || len(lines)%2 != 0 {
		return "", false
	}
	bare := func(line string) string { return strings.TrimPrefix(strings.TrimSuffix(line, ":"), ":") }
	var joined []string
	for i := 0; i < len(lines); i += 2 {
		if name, _, colon := strings.Cut(lines[i+1]+" ", ": "); colon && isToken(name) {
			return "", false // a header follows one without a value
		}
		if !isToken(bare(lines[i])) {
			if _, isLabel := labels[strings.ToLower(strings.TrimSuffix(lines[i], ":"))]; !isLabel {
				return "", false
			}
		}
		joined = append(joined, strings.TrimSuffix(lines[i], ":")+": "+lines[i+1])
	}
	return strings.Join(joined, "\n"), true
}

// isList reports whether a text is a list of names and values, such as Python's
// tuples, Node's rawHeaders, or objects with name and value.
func isList(text string) bool {
	begin := strings.IndexAny(text, `"'`)
	return begin > 0 && strings.ContainsAny(text[:begin], "[(") && listBegins.MatchString(text[:begin])
}

var listBegins = regexp.MustCompile(`^(?:[A-Za-z.]*\(?\[\s*[\[({]*\s*|[A-Za-z]+\(\d+\) \{\s*)b?$`)

// readList reads a list of names and values.
func (k *keptHeaders) readList(text string) error {
	o := &objectReader{text: text}
	type word struct {
		at   int
		text string
	}
	var words []word
	for o.at < len(o.text) {
		begun := o.at
		if ch := o.text[o.at]; ch != '"' && ch != '\'' {
			if words != nil && strings.IndexByte(" \t\r\n,;:=>()[]{}b", ch) < 0 {
				return o.wrong(begun, "has a value that is not in quotes; write \"Name\": \"value\"")
			}
			o.at++
			continue
		}
		value, ok := o.word()
		if !ok {
			return o.wrong(begun, "has no value in quotes; write \"Name\": \"value\"")
		}
		words = append(words, word{begun, value})
	}
	if len(words) >= 4 && slices.Contains([]string{"name", "key", "Name", "Key"}, words[0].text) && strings.EqualFold(words[2].text, "value") {
		labelled := words
		words = nil
		for i, w := range labelled {
			if i%2 == 1 {
				words = append(words, w)
			}
		}
	}
	if len(words)%2 != 0 {
		return o.wrong(words[len(words)-1].at, "has a name and no value")
	}
	for i := 0; i < len(words); i += 2 {
		if err := k.add(words[i].text, words[i+1].text); err != nil {
			return o.wrong(words[i].at, err.Error())
		}
	}
	return nil
}
