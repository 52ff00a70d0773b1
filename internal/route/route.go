// Package route dials servers by other addresses than the ones they go by: a forwarded port, a
// proxy.
package route

import (
	"context"
	"crypto/tls"
	"net"
)

// Dial connects to an address, by its route if it has one, and with TLS if private is not nil. The
// certificate must be for the address all the same, not for what stands on the way to it.
func Dial(
	ctx context.Context, routes map[string]string, address string, dialer *net.Dialer,
	private *tls.Config,
) (net.Conn, error) {
	way, ok := routes[address]
	if !ok {
		way = address
	}
	if private == nil {
		return dialer.DialContext(ctx, "tcp", way)
	}
	if private.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		private = private.Clone()
		private.ServerName = host
	}
	return (&tls.Dialer{NetDialer: dialer, Config: private}).DialContext(ctx, "tcp", way)
}
