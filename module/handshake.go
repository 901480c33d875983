package module

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/schemes"
)

// Handshake is what the provider asks before it delivers anything.
type Handshake struct {
	// The tokens that you gave the provider, any one of which it may send, for
	// schemes whose handshake is not signed. Placeholders are resolved as in
	// secrets.
	VerifyTokens []string `json:"verify_tokens,omitempty"`
}

// tokenSums are the digests of verify tokens: to compare those takes the same
// time whatever was sent.
type tokenSums [][sha256.Size]byte

func (t tokenSums) known(token string) bool {
	sum, found := sha256.Sum256([]byte(token)), 0
	for i := range t {
		found |= subtle.ConstantTimeCompare(sum[:], t[i][:])
	}
	return found == 1
}

// checkHandshake holds the option against the scheme.
func (h *Handler) checkHandshake(scheme schemes.Scheme) error {
	if h.Handshake == nil {
		return nil
	}
	asked := scheme.Handshake()
	switch tokens := h.Handshake.VerifyTokens; {
	case asked == nil:
		return fmt.Errorf("handshake: %s has none; leave handshake out, it is for %s", scheme.Name(), strings.Join(withHandshake(), ", "))
	case asked.Query != nil && len(tokens) == 0:
		return fmt.Errorf("handshake: %s sends the verify token that you gave it; write it, such as handshake {env.VERIFY_TOKEN}", scheme.Name())
	case asked.Query == nil && len(tokens) > 0:
		return fmt.Errorf("handshake: that of %s is signed with the secret; write handshake alone", scheme.Name())
	default:
		for i, token := range tokens {
			if err := checkSecret(token); err != nil {
				return fmt.Errorf("handshake: verify token %d %w", i+1, err)
			}
		}
	}
	return nil
}

// withHandshake lists the schemes that have one.
func withHandshake() []string {
	var names []string
	for _, scheme := range schemes.All() {
		if scheme.Handshake() != nil {
			names = append(names, scheme.Name())
		}
	}
	return names
}

// compileHandshake looks up what is asked, and resolves the tokens.
func (h *Handler) compileHandshake() error {
	if h.Handshake == nil {
		return nil
	}
	h.asked = *h.scheme.Handshake()
	resolved, err := resolveSecrets(caddy.NewReplacer(), h.Handshake.VerifyTokens)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	for _, token := range resolved {
		h.verifyTokens = append(h.verifyTokens, sha256.Sum256([]byte(token)))
	}
	return nil
}

// takesMethod tells whether a request may go on to be verified: as a delivery,
// or as a handshake, which comes with POST whatever deliveries come with.
func (h *Handler) takesMethod(method string) bool {
	return slices.Contains(h.Methods, method) || h.signedHandshake() && method == http.MethodPost
}

func (h *Handler) signedHandshake() bool {
	return h.asked.Signed != nil
}

// meetQuery answers a handshake in the query. It reports whether it has dealt
// with the request.
func (h *Handler) meetQuery(w http.ResponseWriter, r *http.Request, d *delivery) (done bool, err error) {
	if h.asked.Query == nil || r.Method != http.MethodGet {
		return false, nil
	}
	reply, err := h.asked.Query(originalRequest(r).URL.Query(), h.verifyTokens.known)
	switch {
	case err != nil:
		refused := refusalOf(err)
		refused.unread = true
		return true, h.reject(w, r, d, refused)
	case reply == nil:
		return false, nil
	}
	h.drain(w, r, false)
	h.reply(w, r, d, reply)
	return true, nil
}

// meetSigned answers a handshake that has been found in a verified delivery. A
// method that only handshakes may come with ends here.
func (h *Handler) meetSigned(w http.ResponseWriter, r *http.Request, d *delivery) (done bool, err error) {
	switch {
	case d.handshakeRefused != nil:
		return true, h.reject(w, r, d, refusalOf(d.handshakeRefused))
	case d.handshake != nil:
		h.reply(w, r, d, d.handshake)
		return true, nil
	case !slices.Contains(h.Methods, r.Method):
		return true, h.reject(w, r, d, h.refuseMethod(w))
	}
	return false, nil
}

// meetUnsigned answers a handshake that comes with POST and without a signature.
// It reports whether it has. Another request stays refused: what has been read of
// its body is kept for the application where everything is let through.
func (h *Handler) meetUnsigned(w http.ResponseWriter, r *http.Request, d *delivery, refused *refusal) (done bool) {
	if h.asked.Unsigned == nil || refused.reason != schemes.MissingSignature ||
		r.Method != http.MethodPost || r.ContentLength <= 0 || r.ContentLength > schemes.MaxUnsignedHandshake {
		return false
	}
	if unread := h.readBody(w, r, d, io.Discard); unread != nil {
		refused.unread, refused.asked = unread.unread, true
		return false
	}
	refused.unread = false
	body := d.body.Buffer.Bytes()
	if reply := h.asked.Unsigned(body); reply != nil {
		h.reply(w, r, d, reply)
		return true
	}
	if h.Observe {
		r.Body = io.NopCloser(bytes.NewReader(bytes.Clone(body)))
	}
	return false
}

// reply answers a handshake. It is no delivery: it has no verdict, is not
// counted among the requests and never gets into the history.
func (h *Handler) reply(w http.ResponseWriter, r *http.Request, d *delivery, reply *schemes.Reply) {
	d.setPlaceholders(r)
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.String("webhook_provider", h.Provider))
	}
	h.logger.Info("handshake answered", zap.String("provider", h.Provider))
	header := w.Header()
	header["Content-Type"] = []string{reply.ContentType}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	status := reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if len(reply.Body) > 0 {
		_, _ = w.Write(reply.Body) // a sender that has gone away asks again
	}
}
