package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hooklatch/hooklatch/schemes"
)

func readDefinition(name string, content []byte) (d schemes.Definition, err error) {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err = dec.Decode(&d); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return d, err
}
