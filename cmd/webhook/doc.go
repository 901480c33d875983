// Package webhook adds the webhook command to Caddy's command line.
package webhook
