// Package route dials servers by other addresses than the ones they go by: a forwarded port, a
// proxy.
package route

import (
	"context"
	"crypto/tls"
	"net"
)

// Private returns how to talk to a server with TLS. It is asked for each connection, since certificates are
// renewed while a program runs; nobody changes what it returns. Nil: plain text.
type Private func() *tls.Config

// Config returns what is in force now; nil for plain text.
func (p Private) Config() *tls.Config {
	if p == nil {
		return nil
	}
	return p()
}

// Dial connects to an address, by its route if it has one, and with TLS if private is not nil. The
// certificate must be for the address all the same, not for what stands on the way to it.
func Dial(
	ctx context.Context, routes map[string]string, address string, dialer *net.Dialer,
	private Private,
) (net.Conn, error) {
	way, ok := routes[address]
	if !ok {
		way = address
	}
	config := private.Config()
	if config == nil {
		return dialer.DialContext(ctx, "tcp", way)
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", way)
}
