package module

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/internal/tenants"
	"github.com/hooklatch/hooklatch/schemes"
)

// Tenants is a directory with the secrets of many tenants, one file for each.
type Tenants struct {
	// The directory. Each file in it has the name of its tenant, and one secret a
	// line, the newest first. Placeholders are resolved when the configuration is
	// loaded.
	Dir string `json:"dir,omitempty"`

	// Whose delivery a request is: a placeholder of the request such as
	// `{http.request.uri.path.1}`. What it resolves to must be a label.
	Value string `json:"value,omitempty"`
}

// check reports what is wrong with the option as it is written.
func (t *Tenants) check() error {
	switch {
	case t == nil:
		return nil
	case t.Dir == "":
		return errors.New("tenants: no directory; write the one that has a file for each tenant: tenants <dir> {path.1}")
	case strings.Contains(t.Value, "{http.request.body"):
		return errors.New("tenants: the body cannot name the tenant, because it is not verified yet; write a part of the URL or a header, such as {path.1}")
	case !strings.Contains(t.Value, "{http."):
		return errors.New("tenants: this is the same for every request, so it names no tenant; write a placeholder of the request, such as {path.1}")
	}
	return nil
}

// tenantSecrets finds the verifier of the tenant that a request names.
type tenantSecrets struct {
	dir   *tenants.Dir[*schemes.Verifier]
	value string
	// decoy verifies nothing. What names no tenant is hashed under its key, so that
	// neither the answer nor the time it takes says which tenants there are.
	decoy *schemes.Verifier
}

// compileTenants sets the option up. compile makes the verifier of some secrets.
func (h *Handler) compileTenants(compile func(secrets []string) (*schemes.Verifier, error)) error {
	dir, err := caddy.NewReplacer().ReplaceOrErr(h.Tenants.Dir, true, true)
	if err != nil {
		return errors.New("tenants: the directory has a placeholder that is not known, or resolves to nothing; set the variable that it names")
	}
	decoy, err := decoyOf(compile)
	if err != nil {
		return err
	}
	h.tenants = &tenantSecrets{
		dir: tenants.New(dir, func(secrets []string) (*schemes.Verifier, error) {
			for i, secret := range secrets {
				if err := checkSecret(secret); err != nil {
					return nil, fmt.Errorf("secret %d %w", i+1, err)
				}
				if wholePlaceholder.MatchString(secret) {
					return nil, fmt.Errorf("secret %d is a placeholder, which is not resolved in a tenant's file; write the secret itself", i+1)
				}
			}
			return compile(secrets)
		}),
		value: h.Tenants.Value, decoy: decoy,
	}
	return nil
}

// decoyOf makes a verifier of a random secret that nothing else has.
func decoyOf(compile func(secrets []string) (*schemes.Verifier, error)) (*schemes.Verifier, error) {
	secrets, err := tenants.Random()
	if err != nil {
		return nil, err
	}
	for _, secret := range secrets {
		if verifier, err := compile([]string{secret}); err == nil {
			return verifier, nil
		}
	}
	return nil, errors.New("tenants: this scheme takes secrets of no form that is known here, so an unknown tenant could be told from a known one; write a handler for each tenant instead")
}

// verifierOf returns the verifier for a request, and with `tenants` the tenant
// that it is for. Where it has no secret, the verifier is a decoy, and the refusal
// says what the request ends with unless something else is wrong before that.
func (h *Handler) verifierOf(r *http.Request, d *delivery) (*schemes.Verifier, *refusal) {
	if h.tenants == nil {
		return h.verifier, nil
	}
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return h.tenants.decoy, refuseFor(unknownTenant, "the request has no placeholders")
	}
	name := repl.ReplaceAll(h.tenants.value, "")
	if !args.IsLabel(name) {
		return h.tenants.decoy, refuseFor(unknownTenant, "what the request has as its tenant is no name: 1 to 64 of a-z, 0-9, _ and -")
	}
	verifier, err := h.tenants.dir.Get(name)
	switch {
	case errors.Is(err, tenants.ErrUnknown):
		h.state.endRun(name) // of one that was there
		return h.tenants.decoy, refuseFor(unknownTenant, "there is no file for the tenant that the request names")
	case err != nil:
		d.tenant = name
		return h.tenants.decoy, refuseFor(tenantUnavailable, err.Error())
	}
	d.tenant = name
	return verifier, nil
}

// owner is whose history a delivery is in: the label's, and with `tenants` the
// tenant's. Neither a label nor a tenant has a slash.
func (d *delivery) owner() string { return ownerOf(d.handler.Provider, d.tenant) }

func ownerOf(label, tenant string) string {
	if tenant == "" {
		return label
	}
	return label + "/" + tenant
}

// shownTenant is the tenant as logs, events and the list have it: the one that is
// verified, or with `tenants` the one that the request names and that has a file.
func (d *delivery) shownTenant() string {
	if d.verified {
		return fit(d.facts.Tenant)
	}
	return d.tenant
}

// secretsOf returns the secrets that a captured delivery is explained with.
func (h *Handler) secretsOf(tenant string) []string {
	if h.tenants == nil {
		return h.secrets
	}
	if !args.IsLabel(tenant) { // of a delivery that came under another configuration
		return nil
	}
	secrets, _ := h.tenants.dir.Secrets(tenant) // none: nothing is explained by them
	return secrets
}
