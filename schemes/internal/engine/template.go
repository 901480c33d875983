package engine

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// variable is the kind of a part of a template.
type variable int

const (
	literal variable = iota
	timestampVar
	idVar
	bodyVar
	urlVar
	methodVar
	headerVar
)

// part is a literal or a variable of a template.
type part struct {
	kind  variable
	text  string // the literal, the header's name in canonical form, or else the variable as written
	fixed bool   // the time must have the full number of digits
	at    int    // the position of a header, from 0
	grammar
}

// name returns the variable as errors write it.
func (p *part) name() string {
	if p.kind == headerVar {
		return "{header." + p.text + "}"
	}
	return "{" + p.text + "}"
}

// template is the form of the signed text.
type template struct {
	parts   []part
	headers []string // of {header.X}, in order
}

// has reports whether a variable is in the template.
func (t *template) has(kind variable) bool {
	for i := range t.parts {
		if t.parts[i].kind == kind {
			return true
		}
	}
	return false
}

var variables = map[string]variable{
	"timestamp": timestampVar, "id": idVar, "body": bodyVar, "url": urlVar, "method": methodVar,
}

// parseTemplate reads a template. The unit is the unit of its time.
func parseTemplate(text, unit string) (*template, error) {
	t := &template{}
	for text != "" {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			at = len(text)
		}
		if at > 0 {
			t.parts = append(t.parts, part{kind: literal, text: text[:at]})
			text = text[at:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if end <= 0 {
			return nil, errors.New("a brace without its other half; write variables such as {body}, and no other braces")
		}
		if err := t.add(text[1:end]); err != nil {
			return nil, err
		}
		text = text[end+1:]
	}
	if !t.has(bodyVar) {
		return nil, errors.New("there is no {body}, so that anybody could change the body; add it")
	}
	t.setGrammars(unit)
	return t, nil
}

// add adds a variable. The Caddyfile adapter expands some variables, such as
// {method}, to {http.request.method}.
func (t *template) add(name string) error {
	name = strings.TrimPrefix(name, "http.request.")
	p := part{kind: variables[name], text: name}
	if header, ok := strings.CutPrefix(name, "header."); ok {
		p.kind, p.text, p.at = headerVar, http.CanonicalHeaderKey(header), len(t.headers)
		if err := checkHeaderName(header); err != nil {
			return err
		}
		t.headers = append(t.headers, p.text)
	}
	if p.kind == literal {
		return errors.New("one of the variables is not known; write {timestamp}, {id}, {body}, {url}, {method} or {header.X}")
	}
	for i := range t.parts {
		if t.parts[i].kind == p.kind && t.parts[i].text == p.text {
			return fmt.Errorf("%s is there twice; write it once", p.name())
		}
	}
	t.parts = append(t.parts, p)
	return nil
}

func (t *template) setGrammars(unit string) {
	for i := range t.parts {
		p := &t.parts[i]
		switch p.kind {
		case timestampVar:
			p.fixed = i > 0 && t.parts[i-1].kind != literal || i+1 < len(t.parts) && t.parts[i+1].kind != literal ||
				unit == unitRFC3339 && i+1 < len(t.parts) && mayFollowSeconds(t.parts[i+1].text[0])
			switch {
			case unit == unitRFC3339:
				p.grammar = rfc3339Grammar
			case unit == unitMillis || p.fixed:
				p.grammar = fixedGrammar
			default:
				p.grammar = digitsGrammar
			}
		case idVar:
			p.grammar = grammar{holds: t.except(i, isVisible, isIDByte)}
		case urlVar:
			p.grammar = grammar{holds: t.except(i, isPassedOn, isURLByte)}
		case methodVar:
			p.grammar = methodGrammar
		case headerVar:
			p.grammar = headerGrammar
		case bodyVar:
			p.grammar = bodyGrammar
		}
	}
}

// except returns the bytes of wide without the two that mark where the part at
// a position begins and ends. The bytes of always stay allowed.
func (t *template) except(at int, wide, always func(ch byte) bool) func(ch byte) bool {
	ends, begins := byte(0), byte(0) // no value contains a zero byte
	if at+1 < len(t.parts) {
		switch next := &t.parts[at+1]; next.kind {
		case literal:
			ends = next.text[0]
		case bodyVar:
			ends = '{' // of a JSON object
		}
	}
	if at > 0 && t.parts[at-1].kind == literal {
		before := t.parts[at-1].text
		begins = before[len(before)-1]
	}
	return func(ch byte) bool { return always(ch) || wide(ch) && ch != ends && ch != begins }
}

// grammarOf returns the grammar of a variable, or otherwise if the template
// does not have it.
func (t *template) grammarOf(kind variable, otherwise grammar) grammar {
	for i := range t.parts {
		if t.parts[i].kind == kind {
			return t.parts[i].grammar
		}
	}
	return otherwise
}

// checkUnambiguous rejects a template that can turn two deliveries into the
// same text: one could then be sent with the other's signature. It removes
// parts from the left as long as it is clear where each ends, and from the
// right as long as it is clear where each begins. The template is unambiguous
// if at most one part remains.
func (t *template) checkUnambiguous(bodyBegins string) error {
	left := 0
	for left < len(t.parts) && t.endsClearly(left, bodyBegins) {
		left++
	}
	right := len(t.parts) - 1
	for right > left && t.beginsClearly(right) {
		right--
	}
	if left >= right {
		return nil
	}
	p, next := &t.parts[left], &t.parts[left+1]
	behind := next.name()
	if next.kind == literal {
		behind = fmt.Sprintf("the %q", next.text)
	}
	mend := "write another template if the provider signs it so, or leave the scheme out"
	if next.kind == bodyVar && !p.holds('{') {
		mend = "if all bodies are JSON objects, set json_object, which holds them to that"
	}
	return fmt.Errorf("it cannot be told where %s ends, which may hold what %s begins with: a signed delivery could be cut into another one; %s",
		p.name(), behind, mend)
}

// endsClearly reports whether it is clear where a part ends, if its beginning
// is known. A body that begins with { ends a URL, since no URL contains a {. A
// [ would not do: an IPv6 host contains it.
func (t *template) endsClearly(at int, bodyBegins string) bool {
	p := &t.parts[at]
	if p.kind == literal || p.delimited {
		return true
	}
	if at+1 == len(t.parts) {
		return true
	}
	switch next := &t.parts[at+1]; {
	case next.kind == literal:
		return !p.holds(next.text[0])
	case next.kind == bodyVar && bodyBegins != "":
		return !p.holds(bodyBegins[0])
	}
	return false
}

// beginsClearly reports whether it is clear where a part begins, if its end is
// known.
func (t *template) beginsClearly(at int) bool {
	p := &t.parts[at]
	if p.kind == literal || p.delimited {
		return true
	}
	if at == 0 {
		return true
	}
	before := &t.parts[at-1]
	return before.kind == literal && !p.holds(before.text[len(before.text)-1])
}
