package kafkaio

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialMax bounds connecting to a broker, as the client itself does where it dials.
const dialMax = 10 * time.Second

// dialRoute connects to a broker, by its route if it has one. Its certificate must be for the
// broker all the same, not for what stands on the way to it.
func (c Config) dialRoute(ctx context.Context, network, address string) (net.Conn, error) {
	way, ok := c.Routes[address]
	if !ok {
		way = address
	}
	dialer := &net.Dialer{Timeout: min(dialMax, c.CheckTimeout)}
	if c.TLS == nil {
		return dialer.DialContext(ctx, network, way)
	}
	private := c.TLS.Clone()
	if private.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		private.ServerName = host
	}
	return (&tls.Dialer{NetDialer: dialer, Config: private}).DialContext(ctx, network, way)
}
