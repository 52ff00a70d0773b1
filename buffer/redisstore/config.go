package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/buffer"
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
	// TLS is nil for a plain connection.
	TLS *tls.Config
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
		TracesPerCall:   32,
	}
}

// Validate returns every fault of the configuration, joined, or nil.
func (c Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("redis: "+format, args...))
		}
	}
	fault(len(c.Addresses) == 0, "no address: give at least one \"host:port\"")
	for _, address := range c.Addresses {
		faults = append(faults, validateAddress(address))
	}
	for address, way := range c.Routes {
		faults = append(faults, validateAddress(address), validateAddress(way))
	}
	fault(c.Username != "" && c.Password == "", "user %q has no password", c.Username)
	fault(strings.ContainsAny(c.Namespace, "{}"), "namespace %q must not contain braces", c.Namespace)
	fault(strings.ContainsAny(c.Slice, "{}"), "slice %q must not contain braces", c.Slice)
	fault(c.MaxSegmentBytes < 0, "max_segment_bytes %d must not be negative (0 switches it off)",
		c.MaxSegmentBytes)
	fault(c.DialTimeout <= 0, "dial timeout %v must be positive", c.DialTimeout)
	fault(c.AnswerTimeout <= 0, "answer timeout %v must be positive", c.AnswerTimeout)
	fault(c.TracesPerCall < 1, "traces per call %d must be at least 1", c.TracesPerCall)
	return errors.Join(faults...)
}

func cutLast(text, separator string) (before, after string, found bool) {
	if at := strings.LastIndex(text, separator); at >= 0 {
		return text[:at], text[at+len(separator):], true
	}
	return text, "", false
}
