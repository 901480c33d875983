package inbox

import (
	"net/http"
	"time"
)

// Request is a request as verify_webhook saw it, without its body, so that it
// can go through the routes of its site again.
type Request struct {
	Method     string      `json:"method"`
	URI        string      `json:"uri"` // as it was sent, before any rewrite
	Host       string      `json:"host"`
	Proto      string      `json:"proto"`
	Header     http.Header `json:"header"` // without those that only Hooklatch writes
	RemoteAddr string      `json:"remote_addr"`
	// LocalNetwork and LocalAddr are where the request arrived, such as tcp and
	// 10.0.0.1:443.
	LocalNetwork string `json:"local_network,omitempty"`
	LocalAddr    string `json:"local_addr,omitempty"`
	TLS          *TLS   `json:"tls,omitempty"` // nil without TLS
}

// TLS is the stored part of the state of a TLS connection.
type TLS struct {
	Version      uint16   `json:"version"`
	CipherSuite  uint16   `json:"cipher_suite"`
	ServerName   string   `json:"server_name,omitempty"`
	Protocol     string   `json:"protocol,omitempty"`     // negotiated by ALPN
	Certificates [][]byte `json:"certificates,omitempty"` // of the client, DER
}

// Facts are the values known since a delivery was verified. The application
// gets them in headers.
type Facts struct {
	ID            string    `json:"id"`               // Webhook-Id
	Secret        int       `json:"secret,omitempty"` // the number of the secret that matched
	Event         string    `json:"event,omitempty"`
	Tenant        string    `json:"tenant,omitempty"`
	Environment   string    `json:"environment,omitempty"`
	SentAt        time.Time `json:"sent_at,omitzero"`
	SentHeader    bool      `json:"sent_header,omitempty"` // the send time is from the headers
	OccurredAt    time.Time `json:"occurred_at,omitzero"`
	OccurrenceID  string    `json:"occurrence_id,omitempty"`
	UnsignedEvent string    `json:"unsigned_event,omitempty"`
}
