package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
)

// target holds the options for schemes that sign the URL or the method.
type target struct{ url, method *option }

func newTarget(cmd *cobra.Command) target {
	return target{
		url:    newOption(cmd, "url", "URL", "the URL that the provider sends to, for schemes that sign it"),
		method: newOption(cmd, "method", "METHOD", "the method, for schemes that sign it; default: POST"),
	}
}

// request reads the options for a scheme. Without --url it uses the default,
// which may be empty if the URL is not known.
func (t target) request(scheme schemes.Scheme, defaultURL string) (schemes.Request, error) {
	address := t.url.text
	if !scheme.SignsRequest() {
		if address != "" || t.method.text != "" {
			return schemes.Request{}, fmt.Errorf("%s signs neither the URL nor the method; leave --url and --method out", scheme.Name())
		}
		return schemes.Request{}, nil
	}
	if address == "" {
		address = defaultURL
	}
	if address == "" {
		return schemes.Request{}, fmt.Errorf("%s signs the URL or the method; add --url URL with the one that the provider sends to", scheme.Name())
	}
	r, err := splitURL(address)
	r.Method = http.MethodPost
	if t.method.text != "" {
		r.Method = t.method.text
	}
	return r, err
}

// requestOf reads the options for a kept delivery. The lines around its headers
// may give values that the options do not.
func (t target) requestOf(scheme schemes.Scheme, kept *keptHeaders) (schemes.Request, error) {
	if scheme.SignsRequest() && t.url.text == "" {
		if err := kept.sentTo(); err != nil {
			return schemes.Request{}, err
		}
	}
	r, err := t.request(scheme, kept.url)
	if scheme.SignsRequest() && t.method.text == "" && kept.method != "" {
		r.Method = kept.method
	}
	r.Header = kept.header
	return r, err
}

// splitURL splits a URL without changing its spelling.
func splitURL(text string) (schemes.Request, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return schemes.Request{}, errors.New("--url is not a URL; write http:// or https://, a host, a path and the query")
	}
	text, _, _ = strings.Cut(text, "#")
	uri := text[len(u.Scheme)+len("://")+len(u.Host):]
	if !strings.HasPrefix(uri, "/") {
		uri = "/" + uri
	}
	return schemes.Request{Scheme: u.Scheme, Host: u.Host, URI: uri}, nil
}
