package harness

import (
	"fmt"
	"strings"
)

// OpenSite shows every answer's verdict and reason in headers, and the reason
// in the access log for senders who do not wait for their answer.
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

// BareSite is what a user would write who adds nothing.
func BareSite(routes ...string) string {
	return strings.Join(routes, "\n")
}

// Hook is one verified route: everything under path, for the provider whose
// name the scheme is.
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
