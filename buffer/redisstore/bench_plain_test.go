package redisstore_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// plain is the least that any buffer in Redis has to do, as a yardstick measured in the same run:
// the payloads of a trace and batch are appended to a hash by one pipelined command, later read
// and deleted by two. It assembles nothing, queues nothing and survives nothing.
type plain struct {
	write, flush time.Duration
	cpu          float64 // seconds of Redis' main thread
}

func (p *plain) measure(b *testing.B, g gauge, rounds []round) {
	do := func(commands rueidis.Commands) {
		for _, result := range g.client.DoMulti(b.Context(), commands...) {
			if err := result.Error(); err != nil {
				b.Fatal(err)
			}
		}
	}
	var keys []string
	known := make(map[buffer.TraceKey]string)
	cpu, start := g.cpu(), time.Now()
	for n, r := range rounds {
		traces := slices.Concat(r[0].parts...)
		commands := make(rueidis.Commands, len(traces))
		for i := range traces {
			key, ok := known[traces[i].TraceKey]
			if !ok {
				key = "plain:" + traces[i].Trace.String()
				known[traces[i].TraceKey] = key
				keys = append(keys, key)
			}
			commands[i] = g.client.B().Hset().Key(key).FieldValue().
				FieldValue(strconv.Itoa(n), rueidis.BinaryString(payloads(traces[i]))).Build()
		}
		do(commands)
	}
	p.write += time.Since(start)
	start = time.Now()
	for len(keys) > 0 {
		some := keys[:min(500, len(keys))]
		keys = keys[len(some):]
		var read, remove rueidis.Commands
		for _, key := range some {
			read = append(read, g.client.B().Hgetall().Key(key).Build())
			remove = append(remove, g.client.B().Del().Key(key).Build())
		}
		do(read)
		do(remove)
	}
	p.flush += time.Since(start)
	p.cpu += g.cpu() - cpu
}

func payloads(trace buffer.TraceBatch) []byte {
	var all []byte
	for _, subtree := range trace.Subtrees {
		for i := range subtree.Spans {
			all = append(all, subtree.Spans[i].Payload...)
		}
	}
	return all
}
