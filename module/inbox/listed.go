package inbox

import "time"

// Listed is a delivery in the inbox, as the admin endpoint lists it.
type Listed struct {
	Provider      string     `json:"provider"`
	Scheme        string     `json:"scheme"`
	Tenant        string     `json:"tenant,omitempty"`
	ID            string     `json:"id"`
	State         string     `json:"state"`
	Attempts      int        `json:"attempts"`
	ReceivedAt    time.Time  `json:"received_at"`
	KeptAt        time.Time  `json:"kept_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
	LastStatus    int        `json:"last_status,omitempty"`
	LastError     string     `json:"last_error,omitempty"`
	Key           int        `json:"key,omitempty"`
	Event         string     `json:"event,omitempty"`
	Method        string     `json:"method"`
	Path          string     `json:"path"`
	Size          int64      `json:"size"`
	ClientIP      string     `json:"client_ip,omitempty"`
}
