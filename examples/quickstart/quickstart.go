// Package quickstart holds the quickstart for the command `webhook demo`, which
// runs it from the binary alone.
package quickstart

import _ "embed"

// Caddyfile is the configuration: a gateway on port 8080 and the application
// behind it on port 9000.
//
//go:embed Caddyfile
var Caddyfile string

// Environment has the secrets, one NAME=value a line, with # comments.
//
//go:embed demo.env
var Environment string
