package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"sluice/internal/route"
)

// redialing is the client of a single server that dials again when the server says that it is not the one to
// write to: after a failover its address may lead to another one, while the old one keeps its connections.
// Whatever else is in flight on a connection fails as if it had broken. (Nodes of a cluster send a client to
// where a slot is by themselves.)
type redialing struct {
	rueidis.Client
	conns *connections
}

// redialAge is how old a connection must be for that: an address that leads to nothing better is not dialled
// at every call.
const redialAge = time.Second

// elsewhere are the first words of those errors that another server of this address may not give.
var elsewhere = []string{"READONLY ", "MASTERDOWN ", "NOREPLICAS "}

func (c *redialing) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	result := c.Client.Do(ctx, command)
	c.judge(result)
	return result
}

func (c *redialing) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	results := c.Client.DoMulti(ctx, commands...)
	c.judge(results...)
	return results
}

// Nodes returns itself: who asks node by node writes, too.
func (c *redialing) Nodes() map[string]rueidis.Client {
	nodes := c.Client.Nodes()
	for address := range nodes { //order-free: there is one
		nodes[address] = c
	}
	return nodes
}

func (c *redialing) judge(results ...rueidis.RedisResult) {
	for i := range results {
		reply, ok := rueidis.IsRedisErr(results[i].Error())
		if !ok || reply.IsNil() {
			continue
		}
		for _, word := range elsewhere {
			if strings.HasPrefix(reply.Error(), word) {
				c.conns.cut(time.Now().Add(-redialAge))
				return
			}
		}
	}
}

// connections are those of a client.
type connections struct {
	config Config
	mu     sync.Mutex
	open   map[*connection]time.Time // and since when
}

// connection is one of them until it is closed.
type connection struct {
	net.Conn
	of *connections
}

// dial connects, as the client asks for it.
func (c *connections) dial(
	ctx context.Context, address string, dialer *net.Dialer, _ *tls.Config,
) (net.Conn, error) {
	dialled, err := route.Dial(ctx, c.config.Routes, address, dialer, c.config.TLS)
	if err != nil {
		return nil, err
	}
	conn := &connection{dialled, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = time.Now()
	return conn, nil
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// cut closes those that were there at a time: the client dials when it next needs one.
func (c *connections) cut(by time.Time) {
	c.mu.Lock()
	var old []*connection
	for conn, since := range c.open { //order-free: each by itself
		if since.Before(by) {
			old = append(old, conn)
		}
	}
	c.mu.Unlock()
	for _, conn := range old {
		_ = conn.Close()
	}
}
