package redisstore

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// dial connects to a node, by its route if it has one. Its certificate must be for the node all the
// same, not for what stands on the way to it.
func (c Config) dial(
	ctx context.Context, address string, dialer *net.Dialer, private *tls.Config,
) (net.Conn, error) {
	way, ok := c.Routes[address]
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

// validateAddress wants "host:port".
func validateAddress(address string) error {
	if at := strings.LastIndexByte(address, ':'); at < 1 || at == len(address)-1 {
		return fmt.Errorf("redis: address %q is not \"host:port\"", address)
	}
	return nil
}
