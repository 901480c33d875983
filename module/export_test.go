package module

import "go.uber.org/zap"

// StartLogging starts an app that logs to logger.
func (a *App) StartLogging(logger *zap.Logger) error {
	a.logger = logger
	return a.Start()
}

// LinkedCaddy is the version of Caddy, and whether it mixes bodies.
func LinkedCaddy() (string, bool) { return linkedCaddy() }

// CaddyIn is the same for any build.
var CaddyIn = caddyIn
