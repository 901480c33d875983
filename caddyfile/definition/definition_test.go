package definition

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// definitionIn returns the block in a file of the directive's testdata.
func definitionIn(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("../testdata/" + name + ".caddyfiletest")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(content), "----------\n")
	begin, end := strings.Index(text, Option), strings.LastIndex(text, "\t}\n}")
	if begin < 0 || end < begin {
		t.Fatalf("%s has no definition", name)
	}
	return text[begin:end]
}

func TestReadDefinition(t *testing.T) {
	for _, name := range []string{"scheme_definition", "scheme_definition_whole", "scheme_definition_variants"} {
		t.Run(name, func(t *testing.T) {
			read, err := ReadFile("acme.scheme", []byte("# what Acme's page says\n"+definitionIn(t, name)+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(read, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			same, err := ReadFile("acme.json", text)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(read, same) {
				t.Errorf("the block is %+v, the JSON %+v", read, same)
			}
		})
	}
}

// TestDefinitionHasEveryField checks that everything that can be written in
// JSON can be written in a Caddyfile.
func TestDefinitionHasEveryField(t *testing.T) {
	said := map[string]bool{}
	for _, name := range []string{"scheme_definition_whole", "scheme_definition_variants", "scheme_definition_body_places", "scheme_definition_fields"} {
		read, err := ReadFile(name, []byte(definitionIn(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		collect(reflect.ValueOf(read), "", said)
	}
	every := map[string]bool{}
	fields(reflect.TypeFor[schemes.Definition](), "", every)
	for name := range every {
		if !said[name] {
			t.Errorf("no Caddyfile of testdata says %s", name)
		}
	}
	if len(every) < 20 {
		t.Errorf("only %d fields", len(every))
	}
}

// collect adds the names of the fields that have a value.
func collect(v reflect.Value, name string, into map[string]bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), name+"."+v.Type().Field(i).Name, into)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), name, into)
		}
	default:
		into[name] = into[name] || !v.IsZero()
	}
}

// fields adds the names of all fields.
func fields(typ reflect.Type, name string, into map[string]bool) {
	switch typ.Kind() {
	case reflect.Struct:
		for f := range typ.Fields() {
			if f.Tag.Get("json") == "-" { // only for definitions in Go
				continue
			}
			fields(f.Type, name+"."+f.Name, into)
		}
	case reflect.Slice:
		fields(typ.Elem(), name, into)
	default:
		into[name] = true
	}
}

func TestReadDefinitionErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "acme: this is no definition; write a block scheme_definition { … }, as in a Caddyfile, or JSON",
		"signature header X-S": "acme: this is no definition",
		"scheme_definition {\n\tsignature header X_S\n}":                      "usually with dashes, at acme:2",
		"scheme_definition {\n\tsignature header X-S\n}\nkey hex\n":           "something stands behind the definition; write one block and nothing else, at acme:4",
		"scheme_definition {\n\tsignature header X-S\n\tsigned {at}{body}\n}": "signed: one of the variables is not known; write {timestamp}",
		`{"signature":{"header":"X-S"},"sign":"{body}"}`:                      `acme: json: unknown field "sign"`,
		`{"signature":{"header":"X-S"}} {}`:                                   "acme: something stands behind the definition",
		`{"signature":{"header":"X-S"},"signed":"{id}{body}"}`:                "acme: signed: it cannot be told where {id} ends",
		`{"signature"`: "acme: unexpected EOF",
	} {
		if _, err := ReadFile("acme", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n%v, want\n%s", text, err, want)
		}
	}
}
