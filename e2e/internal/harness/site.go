package harness

import (
	"fmt"
	"strings"
)

// OpenSite returns a site that adds the verdict and the reason to every answer
// as headers. The access log also has the reason, for senders that do not wait
// for the answer.
func OpenSite(routes ...string) string {
	return BareSite(append(routes, "respond 404")...) + `
	log
	log_append e2e_reason {http.verify_webhook.reason}
	header >X-Verdict {http.verify_webhook.verdict}
	header >X-Reason {http.verify_webhook.reason}
	handle_errors {
		header X-Verdict {http.verify_webhook.verdict}
		header X-Reason {http.verify_webhook.reason}
		respond "" {http.error.status_code}
	}`
}

// BareSite returns a site that contains only the routes.
func BareSite(routes ...string) string {
	return strings.Join(routes, "\n")
}

// Hook returns a verified route for everything under a path. The provider has
// the name of the scheme.
func Hook(path, scheme, app string, options ...string) string {
	return Route(path, Verify(scheme, SecretVariable(scheme), options...), "reverse_proxy "+app)
}

// Route returns a route for everything below a path.
func Route(path string, handlers ...string) string {
	return fmt.Sprintf("route %s* {\n%s\n}", path, strings.Join(handlers, "\n"))
}

// Verify returns the directive, with its secret from a variable.
func Verify(scheme, variable string, options ...string) string {
	return fmt.Sprintf("verify_webhook %s {env.%s} {\n%s\n}", scheme, variable, strings.Join(options, "\n"))
}
