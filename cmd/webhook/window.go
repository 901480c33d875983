package webhook

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/schemes"
)

// windowOf reads --tolerance. Its defaults are those of the handler.
func windowOf(scheme schemes.Scheme, o *option) (schemes.Window, error) {
	switch {
	case o.text == "":
		return scheme.Window(), nil
	case scheme.Time() == schemes.NoTime:
		return schemes.Window{}, fmt.Errorf("--tolerance: %s has no signed time to judge; leave --tolerance out", scheme.Name())
	case o.text == "off":
		return schemes.Window{}, nil
	}
	past, err := caddy.ParseDuration(o.text)
	if err != nil || past <= 0 {
		return schemes.Window{}, errors.New("--tolerance is not a duration above zero; write one such as 5m or 1d, or off")
	}
	return schemes.NewWindow(past, 0), nil
}
