package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	deliveries    = 240
	firstNumber   = 483201
	refusedNumber = firstNumber + deliveries - 2
)

// newGateway answers as the admin endpoint of a gateway whose Stripe secret was
// changed a while ago and whose shop answers badly now and then.
func newGateway(now time.Time) http.Handler {
	all := make([]map[string]any, deliveries)
	for i := range all {
		all[i] = delivery(i, now.Add(-time.Duration(deliveries-i)*45*time.Second))
	}
	slices.Reverse(all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/verify_webhook/deliveries")
		switch path {
		case "":
			found := slices.DeleteFunc(slices.Clone(all), func(d map[string]any) bool {
				id := r.URL.Query().Get("id")
				return id != "" && d["id"] != id
			})
			_ = json.NewEncoder(w).Encode(found)
		case "/follow":
			<-r.Context().Done()
		default:
			for _, d := range all {
				if path == fmt.Sprintf("/%d", d["number"]) {
					_ = json.NewEncoder(w).Encode(d)
					return
				}
			}
			http.NotFound(w, r)
		}
	})
}

var labels = []struct{ name, event string }{
	{"github", "push"}, {"stripe", "invoice.paid"}, {"shopify", "orders/create"}, {"stripe", "charge.succeeded"}, {"cryptr", "user.created"},
}

func delivery(i int, at time.Time) map[string]any {
	label := labels[i%len(labels)]
	d := map[string]any{
		"number": firstNumber + i, "time": at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"provider": label.name, "scheme": label.name, "verdict": "accepted", "event": label.event,
		"id": fmt.Sprintf("evt_1PxY%05d", 7919*i%99991), "size": 1843, "status": 200, "application": 200,
		"duration": 0.004 + float64(i%7)/500, "client": "192.0.2.44", "method": "POST", "path": "/" + label.name,
	}
	switch {
	case label.name == "stripe" && i > deliveries-45:
		d["verdict"], d["reason"], d["status"], d["duration"] = "rejected", "signature_mismatch", 401, 0.001
		delete(d, "application")
		delete(d, "event")
		delete(d, "id")
		d["captured"], d["uri"] = true, "/stripe"
		d["headers"] = http.Header{
			"Authorization": {"Basic c3RyaXBlOnN0cmlwZQ=="}, "Content-Type": {"application/json; charset=utf-8"}, "Host": {"hooks.example.com"},
			"Stripe-Signature": {"t=1769860800,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"}, "User-Agent": {"Stripe/1.0"},
		}
		d["body"] = []byte("{\n  \"id\": \"evt_1PxY00042\",\n  \"type\": \"invoice.paid\",\n  \"amount\": 4200 \n}\n")
		d["explained_by"] = "the secret ends with a line feed that is not part of it"
		d["what_to_do"] = "write the secret without the line feed at its end"
	case label.name == "shopify" && i%4 == 0:
		d["status"], d["application"] = 502, 502
	case i%53 == 0:
		d["verdict"], d["reason"] = "duplicate", "duplicate"
		delete(d, "application")
	}
	return d
}
