package main

import (
	"io"
	"net"
	"net/http"
)

// upstream is an application that reads a delivery and says that it has it.
type upstream struct {
	*http.Server
	addr string
}

func startUpstream() (*upstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{addr: listener.Addr().String(), Server: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNoContent)
		}),
	}}
	go func() { _ = u.Serve(listener) }()
	return u, nil
}
