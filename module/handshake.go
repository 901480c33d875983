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

// Handshake answers the request that a provider sends before its first
// delivery.
type Handshake struct {
	// The verify tokens that you gave the provider, for schemes whose handshake is
	// not signed. The provider may send any of them. Placeholders are resolved as
	// in secrets.
	VerifyTokens []string `json:"verify_tokens,omitempty"`
}

// tokenSums are the digests of verify tokens. Comparing digests takes the same
// time whatever was sent.
type tokenSums [][sha256.Size]byte

func (t tokenSums) known(token string) bool {
	sum, found := sha256.Sum256([]byte(token)), 0
	for i := range t {
		found |= subtle.ConstantTimeCompare(sum[:], t[i][:])
	}
	return found == 1
}

// checkHandshake checks the option against the scheme.
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

// withHandshake returns the names of the schemes that have a handshake.
func withHandshake() []string {
	var names []string
	for _, scheme := range schemes.All() {
		if scheme.Handshake() != nil {
			names = append(names, scheme.Name())
		}
	}
	return names
}

// compileHandshake looks up the handshake of the scheme and resolves the
// tokens.
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

// takesMethod reports whether a request may be verified: as a delivery, or as a
// handshake, whose method is POST whatever methods deliveries have.
func (h *Handler) takesMethod(method string) bool {
	return slices.Contains(h.Methods, method) || h.signedHandshake() && method == http.MethodPost
}

func (h *Handler) signedHandshake() bool {
	return h.asked.Signed != nil
}

// meetQuery answers a handshake in the query. It reports whether the request is
// done.
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

// meetSigned answers a handshake that was found in a verified delivery. It
// rejects any other request whose method is allowed only for handshakes. It
// reports whether the request is done.
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

// meetUnsigned answers a handshake that comes with POST and without a
// signature, and reports whether it was one. Any other request stays rejected.
// With observe, the body that has been read is put back for the application.
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

// reply answers a handshake. A handshake is no delivery: it has no verdict, is
// not counted among the requests and never enters the history.
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
		_, _ = w.Write(reply.Body) // a sender that has gone away will ask again
	}
}
