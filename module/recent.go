package module

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/schemes"
)

// recent holds the last deliveries of this process. It belongs to no
// configuration, so that a failed reload takes nothing away.
var recent = deliveries.NewList()

// FollowDeliveries returns the recent deliveries of this process that pass a
// filter, and then new ones as they arrive.
func FollowDeliveries(f deliveries.Filter) *deliveries.Follower { return recent.Follow(f, true) }

// defaultRecent is how many deliveries are remembered by default, and maxRecent
// the largest number.
const (
	defaultRecent = 1000
	maxRecent     = 1_000_000
)

// list adds a delivery to the recent ones, once, when both the status for the
// sender and the application's answer are known. A request that was not judged
// is no delivery.
func (d *delivery) list(status, application int) {
	if d.listed || d.verdict == "" {
		return
	}
	d.listed = true
	if d.again != nil {
		status = 0 // its sender was answered long ago
	}
	captures := d.handler.Capture.takes(d)
	if !captures && !recent.On() {
		return
	}
	shown := d.shown(status, application)
	if captures {
		d.handler.Capture.add(d, shown)
	} else {
		recent.Add(&shown)
	}
}

// shown returns a delivery in the form that the list has.
func (d *delivery) shown(status, application int) deliveries.Delivery {
	h, r := d.handler, d.request
	shown := deliveries.Delivery{
		Time:     deliveries.Timestamp{Time: d.began},
		Provider: h.Provider, Scheme: h.Scheme,
		Verdict: string(d.verdict), Reason: string(d.reason), Hint: d.hint,
		Status: status, Application: application,
		Duration: h.now().Sub(d.began).Seconds(),
		Method:   r.Method, Path: sentPath(r),
		Observed: d.passedOn(), Attempt: d.attempt, Inbox: d.kept,
	}
	shown.Client, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	shown.Size = d.size
	shown.Tenant = d.shownTenant()
	if d.verified {
		shown.ID, shown.Event, shown.Key = d.id(), fit(d.facts.Type), d.secret
		if !d.sentAt.IsZero() {
			age := int64(d.age() / time.Second)
			shown.Age = &age
		}
	}
	return shown
}

// sentURI returns the URI of a request as its sender wrote it, before any
// rewrite.
func sentURI(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.RequestURI
	}
	return r.RequestURI
}

// sentPath returns the path of that URI. The query is left out, because it may
// hold secrets.
func sentPath(r *http.Request) string {
	path, _, _ := strings.Cut(sentURI(r), "?")
	return path
}

// answeredWith returns the status that the sender is answered with when the
// handler returns an error, or nil.
func (d *delivery) answeredWith(err error) int {
	if err == nil {
		return d.status
	}
	if handled, ok := errors.AsType[caddyhttp.HandlerError](err); ok && handled.StatusCode > 0 {
		return handled.StatusCode
	}
	return http.StatusInternalServerError
}

// statusWriter remembers the status that a handler answers with. Nothing else
// depends on it.
type statusWriter struct {
	caddyhttp.ResponseWriterWrapper
	status int
}

// WriteHeader keeps the first status that is final.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && !isInformational(status) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// answered returns the status; a handler that wrote none has answered 200.
func (w *statusWriter) answered() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// mismatchHint is the hint for a signature mismatch in lists.
const mismatchHint = "none of the secrets produces this signature"

// hint returns a sentence about what may be wrong. It contains nothing that the
// sender wrote.
func (refused *refusal) hint() string {
	switch {
	case refused.lookalike != "":
		return refused.lookalike
	case refused.reason == duplicate:
		return ""
	case refused.reason == schemes.SignatureMismatch:
		return mismatchHint
	}
	return refused.detail
}

// signatureHeaders maps the names of the headers that carry signatures to the
// schemes that use them.
var signatureHeaders = sync.OnceValue(func() map[string][]string {
	known := map[string][]string{}
	for _, scheme := range schemes.All() {
		for _, name := range signatureNames(scheme) {
			known[name] = append(known[name], scheme.Name())
		}
	}
	return known
})

// signatureNames returns the names of the headers that carry the signature of a
// scheme.
func signatureNames(scheme schemes.Scheme) []string {
	names := []string{http.CanonicalHeaderKey(scheme.SignatureHeader())}
	for _, alias := range scheme.AliasHeaders() {
		if strings.HasSuffix(strings.ToLower(alias), "signature") {
			names = append(names, http.CanonicalHeaderKey(alias))
		}
	}
	return names
}

// lookalike returns a hint if the request has the signature of another scheme
// while its own is missing or malformed.
func (h *Handler) lookalike(d *delivery, reason Reason) string {
	if reason != schemes.MissingSignature && reason != schemes.MalformedSignature {
		return ""
	}
	own := signatureNames(h.scheme)
	found := ""
	for name := range signatureHeaders() {
		sent := d.request.Header[name] != nil || name == headerSignature && d.sentStandard
		// Always the same one of several, whatever the order of the map.
		if sent && !slices.Contains(own, name) && (found == "" || name < found) {
			found = name
		}
	}
	token := h.scheme.TokenHeader()
	switch {
	case found == "" && token != "" && d.request.Header.Get(token) != "":
		return token + " is present: it is a secret that is sent as it is, and no signature; give the provider's webhook a secret that signs"
	case found == "":
		return ""
	}
	return "this looks like " + strings.Join(signatureHeaders()[found], " or ") + ": " + found + " is present"
}
