package explain_test

import (
	"github.com/hooklatch/hooklatch/caddyfile"
	"github.com/hooklatch/hooklatch/schemes/explain"
)

func init() { explain.ReadDefinition = caddyfile.ReadDefinition }
