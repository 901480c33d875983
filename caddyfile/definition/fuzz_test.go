package definition

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzReadDefinition reads arbitrary input. Nothing panics, and a definition
// read from a block is the same when it is written as JSON.
func FuzzReadDefinition(f *testing.F) {
	for _, text := range []string{
		"scheme_definition {\n\tsignature header X-S\n}",
		"scheme_definition {\n\tsignature header X-S {\n\t\tseparator \",\"\n\t\tnames v1 v2\n\t}\n\ttimestamp field t unit ms\n\tsigned \"{timestamp}.{method}\\n{body}\"\n}",
		"scheme_definition {\n\tsignature header W {\n\t\tseparator \" \"\n\t}\n\tvariant name v1 key whsec_\n\talias {\n\t\tW V\n\t}\n\tjson_object\n\tsigned {url}{body}\n}",
		"scheme_definition {\n\tsignature header X-S {\n\t\t{\n}\nevent header",
		"scheme_definition <<X\n\tX\n",
		`{"signature":{"header":"X-S"}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		read, err := ReadFile("fuzzed", content)
		if err != nil {
			return
		}
		text, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadFile("fuzzed", text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		same, err := json.Marshal(again)
		if err != nil || !reflect.DeepEqual(text, same) {
			t.Errorf("%s became %s: %v", text, same, err)
		}
	})
}
