// Package quickstart embeds the quickstart in the binary, where the command
// `webhook demo` uses it.
package quickstart

import _ "embed"

// Caddyfile is the configuration: a gateway on port 8080 and its application on
// port 9000.
//
//go:embed Caddyfile
var Caddyfile string

// Environment holds the secrets, one NAME=value per line, with # comments.
//
//go:embed demo.env
var Environment string
