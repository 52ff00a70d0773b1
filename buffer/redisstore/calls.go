package redisstore

import (
	"cmp"
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// callBytesMax and callSpansMax are how much one script call carries before the next one is begun: it
// keeps everybody else waiting. What a single trace brings is never split; see buffer.Rounds.
const (
	callBytesMax = 1 << 20
	callSpansMax = 2 * buffer.AttachSpansMax
)

// calls puts several traces into one script call, which saves Redis most of what a call costs. In
// a cluster the traces of a call would have to be in one slot; there only what concerns the same
// trace is put together.
type calls struct {
	store  *Store
	common []string // arguments before those of the traces
	list   []call
	firsts []int // the index of each call's first trace
	traces int
	bytes  int // of the last call
	spans  int
	// others are commands that go in the same pipeline, and other takes their answers by their index.
	others rueidis.Commands
	other  func(n int, result rueidis.RedisResult) error
}

func (s *Store) newCalls(common ...string) *calls {
	return &calls{store: s, common: common}
}

// add adds a trace with its arguments, which are about so many spans, to the last call, or begins
// another.
func (c *calls) add(spans int, key string, args ...string) {
	size := 0
	for _, arg := range args {
		size += len(arg)
	}
	if !c.fits(key, spans, size) {
		width := c.store.config.TracesPerCall
		if c.store.cluster {
			width = 1
		}
		next := call{
			keys: make([]string, 0, width),
			args: make([]string, 0, len(c.common)+width*len(args)),
		}
		next.args = append(next.args, c.common...)
		c.list = append(c.list, next)
		c.firsts = append(c.firsts, c.traces)
		c.bytes, c.spans = 0, 0
	}
	last := &c.list[len(c.list)-1]
	last.keys = append(last.keys, key)
	last.args = append(last.args, args...)
	c.traces++
	c.bytes += size
	c.spans += spans
}

func (c *calls) fits(key string, spans, size int) bool {
	if len(c.list) == 0 || c.bytes+size > callBytesMax || c.spans+spans > callSpansMax {
		return false
	}
	keys := c.list[len(c.list)-1].keys
	return len(keys) < c.store.config.TracesPerCall && (!c.store.cluster || keys[0] == key)
}

// send makes the calls and hands over every answer with the index of its first trace, and how many
// traces it is for. It returns the first error, classified; the other calls may have been carried
// out all the same, and their answers are handed over.
func (c *calls) send(
	ctx context.Context, what script, each func(first, n int, result rueidis.RedisResult) error,
) error {
	var first error
	results := c.store.eval(ctx, what, c.list, c.others...)
	for n, result := range results[:len(c.others)] {
		first = cmp.Or(first, c.other(n, result))
	}
	for i, result := range results[len(c.others):] {
		err := result.Error()
		if err != nil {
			err = classify(ctx, err)
		} else {
			err = each(c.firsts[i], len(c.list[i].keys), result)
		}
		first = cmp.Or(first, err)
	}
	return first
}

// sendTexts is send for a script that answers with a text for each trace, handed over with its
// index.
func (c *calls) sendTexts(
	ctx context.Context, what script, each func(trace int, text string),
) error {
	return c.send(ctx, what, func(first, n int, result rueidis.RedisResult) error {
		texts, err := result.AsStrSlice()
		if err := complete(len(texts), n, err); err != nil {
			return err
		}
		for i, text := range texts {
			each(first+i, text)
		}
		return nil
	})
}

// complete returns the error of reading an answer, or that it is not for as many traces as asked.
func complete(got, want int, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("%d answers, want %d", got, want)
	}
	return err
}
