package definition

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// fromJSON reads a definition in the form that it has in Caddy's JSON.
func fromJSON(name, text string) (schemes.Definition, error) {
	var definition schemes.Definition
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&definition)
	if err == nil && d.Decode(new(any)) != io.EOF {
		err = errors.New("something stands behind the definition; write one object and nothing else")
	}
	if err == nil {
		_, err = definition.Compile("own")
	}
	if err != nil {
		return schemes.Definition{}, fmt.Errorf("%s: %w", name, err)
	}
	return definition, nil
}
