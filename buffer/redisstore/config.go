package redisstore

import (
	"fmt"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/internal/check"
	"sluice/internal/route"
)

// Config says where the store is and how it keeps spans.
type Config struct {
	// Addresses are "host:port". One is a single server or a node of a cluster, several are nodes
	// of one cluster.
	Addresses []string
	// Routes are addresses to dial in place of others, where the one that a node goes by is not the
	// way to it: a forwarded port, a proxy. Nodes that the cluster names are routed too. Nil: none.
	Routes map[string]string
	// Username and Password are those of an ACL user; both empty for none. Password alone is the
	// default user's.
	Username, Password string
	// TLS is asked for each connection; nil for plain ones.
	TLS route.Private
	// Namespace is put before every key, so that several stores can share a server.
	Namespace string
	// Slice separates queues, not traces: stores of different slices have different queues for
	// the same shard. It must not contain braces.
	Slice string
	// MaxSegmentBytes is that of buffer.Options.
	MaxSegmentBytes buffer.Bytes
	// Compression makes the client compress what it stores with zstd, where that pays: less
	// memory and network, more CPU.
	Compression bool
	// DialTimeout is how long connecting to a node may take.
	DialTimeout time.Duration
	// AnswerTimeout is how long a node may leave a call unanswered before its connection counts
	// as broken.
	AnswerTimeout time.Duration
	// TracesPerCall is how many traces one script call handles at most on a single server. Redis
	// does nothing else meanwhile; more than 64 gain little. In a cluster a call is for one trace.
	TracesPerCall int
}

// DefaultConfig returns the configuration of a store on the local server.
func DefaultConfig() Config {
	return Config{
		Addresses:       []string{"127.0.0.1:6379"},
		Namespace:       "sluice:",
		MaxSegmentBytes: buffer.DefaultOptions().MaxSegmentBytes,
		DialTimeout:     5 * time.Second,
		AnswerTimeout:   10 * time.Second,
		TracesPerCall:   64,
	}
}

// Validate returns every fault of the configuration, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	f.When(len(c.Addresses) == 0, "redis: no address: give at least one \"host:port\"")
	for _, address := range c.Addresses {
		f.Add(validateAddress(address))
	}
	for address, way := range c.Routes {
		f.Add(validateAddress(address), validateAddress(way))
	}
	f.When(c.Username != "" && c.Password == "", "redis: user %q has no password", c.Username)
	f.When(strings.ContainsAny(c.Namespace, "{}"), "redis: namespace %q must not contain braces",
		c.Namespace)
	f.When(strings.ContainsAny(c.Slice, "{}"), "redis: slice %q must not contain braces", c.Slice)
	f.When(c.MaxSegmentBytes < 0, "redis: max_segment_bytes %d must not be negative "+
		"(0 switches it off)", c.MaxSegmentBytes)
	f.When(c.DialTimeout <= 0, "redis: dial timeout %v must be positive", c.DialTimeout)
	f.When(c.AnswerTimeout <= 0, "redis: answer timeout %v must be positive", c.AnswerTimeout)
	f.When(c.TracesPerCall < 1, "redis: traces per call %d must be at least 1", c.TracesPerCall)
	return f.Err()
}

// validateAddress wants "host:port".
func validateAddress(address string) error {
	if at := strings.LastIndexByte(address, ':'); at < 1 || at == len(address)-1 {
		return fmt.Errorf("redis: address %q is not \"host:port\"", address)
	}
	return nil
}
