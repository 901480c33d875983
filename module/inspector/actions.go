package inspector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// action runs when a button is pressed. It returns a sentence about the result.
type action func(p *Page, ctx context.Context, form url.Values) (said string, err error)

var actions = map[string]action{
	"deliver": deliverAgain,
	"allow":   allowAgain,
	"erase":   erase,
	"rejudge": rejudge,
	"retry":   retry,
	"drop":    drop,
}

const maxForm = 64 << 10

// act runs the action of a button and returns a sentence about the result.
func (p *Page) act(w http.ResponseWriter, r *http.Request, name string) {
	do, known := actions[name]
	if !known {
		answer(w, http.StatusNotFound, "There is no such button.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	said, err := do(p, r.Context(), r.PostForm)
	if err == nil {
		answer(w, http.StatusOK, said)
		return
	}
	status := http.StatusBadGateway
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status >= http.StatusBadRequest {
		status = refused.status
	}
	answer(w, status, sentence(err.Error()))
}

func deliverAgain(p *Page, ctx context.Context, form url.Values) (string, error) {
	var result struct {
		Status int    `json:"status"`
		ID     string `json:"id"`
	}
	if _, err := p.ask(ctx, http.MethodPost, deliveriesPath+"/"+url.PathEscape(form.Get("number"))+"/deliver", &result); err != nil {
		return "", err
	}
	if result.Status/100 != 2 {
		return "", &refusal{http.StatusBadGateway, fmt.Sprintf("the application answered %d", result.Status)}
	}
	return fmt.Sprintf("Delivered again: the application answered %d.", result.Status), nil
}

func allowAgain(p *Page, ctx context.Context, form url.Values) (string, error) {
	uri := labelled(historyPath, form.Get("provider"), form.Get("id"), "", tenantOf(form))
	if _, err := p.ask(ctx, http.MethodDelete, uri, nil); err != nil {
		return "", err
	}
	return "Allowed again: the provider's next delivery of this event is passed on.", nil
}

func erase(p *Page, ctx context.Context, form url.Values) (string, error) {
	uri := deliveriesPath + "/" + url.PathEscape(form.Get("number"))
	said := "Erased: headers and body of this delivery are gone."
	if form.Get("number") == "" {
		uri = deliveriesPath + "?" + url.Values{"provider": {form.Get("provider")}}.Encode()
		said = "Erased: headers and bodies of this label are gone."
	}
	if _, err := p.ask(ctx, http.MethodDelete, uri, nil); err != nil {
		return "", err
	}
	return said, nil
}

func rejudge(p *Page, ctx context.Context, form url.Values) (string, error) {
	var result struct{ Judged, Delivered int }
	if _, err := p.ask(ctx, http.MethodPost, labelled(rejudgePath, form.Get("provider"), "", "", tenantOf(form)), &result); err != nil {
		return "", err
	}
	return fmt.Sprintf("Judged %s again: %d delivered.", plural(result.Judged, "delivery"), result.Delivered), nil
}

func retry(p *Page, ctx context.Context, form url.Values) (string, error) {
	if form.Get("id") == "" {
		uri := labelled(inboxPath, form.Get("provider"), "", "/retry", url.Values{"state": {form.Get("state")}})
		if _, err := p.ask(ctx, http.MethodPost, uri, nil); err != nil {
			return "", err
		}
		return "All of them are tried again.", nil
	}
	uri := labelled(inboxPath, form.Get("provider"), form.Get("id"), "/retry", tenantOf(form))
	if _, err := p.ask(ctx, http.MethodPost, uri, nil); err != nil {
		return "", err
	}
	return "It is tried again now.", nil
}

func drop(p *Page, ctx context.Context, form url.Values) (string, error) {
	uri := labelled(inboxPath, form.Get("provider"), form.Get("id"), "", tenantOf(form))
	if _, err := p.ask(ctx, http.MethodDelete, uri, nil); err != nil {
		return "", err
	}
	return "Dropped: it is not in the inbox any more.", nil
}

// labelled returns the address for a label, or for an id of that label.
func labelled(path, provider, id, end string, query url.Values) string {
	uri := path + "/" + url.PathEscape(provider)
	if id != "" {
		uri += "/" + url.PathEscape(id)
	}
	uri += end
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	return uri
}

func tenantOf(form url.Values) url.Values {
	if tenant := form.Get("tenant"); tenant != "" {
		return url.Values{"tenant": {tenant}}
	}
	return nil
}
