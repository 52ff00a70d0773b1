package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// CrampedWayMax is buffer.WayMax of a cramped store.
const CrampedWayMax = 2

// Counting makes epochs those of the reference store, which loses nothing: each the next.
func (s *Store) Counting() *Store {
	s.leastEpoch = func() buffer.Epoch { return 0 }
	return s
}

// Sliced returns the store of another slice.
func (s *Store) Sliced(slice string) *Store {
	other := *s
	other.config.Slice = slice
	return &other
}

// Cramped makes the scripts take every trace for a giant one: nothing stays in field '0', and
// every list is cut into pieces.
func (s *Store) Cramped() *Store { return s.cramped("60, 150") }

// CrampedSegments does the same, but segments leave field '0' while redirects are still in it: those follow
// later.
func (s *Store) CrampedSegments() *Store { return s.cramped("64, 100") }

func (s *Store) cramped(maxima string) *Store {
	small := strings.NewReplacer(
		"GROUPS_MAX, SEGMENTS_MAX = 2048, 4096", "GROUPS_MAX, SEGMENTS_MAX = "+maxima,
		"PIECE = 4000", "PIECE = 4", "SLICE = 125", "SLICE = 2", "LIST_MAX = 44, 8", "LIST_MAX = 44, 0",
		"ENTRIES_MAX = 64", "ENTRIES_MAX = 2", "WAY_MAX = 100", "WAY_MAX = 2",
		"WORK_MAX = 0, 2000", "WORK_MAX = 0, 1", "SWEEP_MAX = 500", "SWEEP_MAX = 2",
	)
	s.rewrite(small.Replace)
	s.slice, s.part, s.small = 2, 2, 0
	return s
}

// Counted makes a script call fail that takes more than so many operations, of about 100 ns each: three
// for a command, one for each of its arguments and of what it answers, and for 512 bytes of those; one
// for each turn of a loop, and for each call of a function.
func (s *Store) Counted(operationsMax int) *Store {
	return s.counting(fmt.Sprintf("if work > %d then error(work .. ' operations by ' .. select(1, ...)) end",
		operationsMax))
}

// Summed adds the operations of all script calls to the number at a key.
func (s *Store) Summed(key string) *Store {
	return s.counting("redis.call('INCRBY', '" + key + "', work - told); told = work")
}

// busy is where a script does something once more: a function or the body of a loop begins.
var busy = regexp.MustCompile(`(?m)^ *(?:local function \w+\(.*\)|(?:for|while) .* do)$`)

func (s *Store) counting(then string) *Store {
	const counter = `
local work, told = 1 + #KEYS + #ARGV, 0
local function spent(list)
  for i = 1, #list do
    work = work + 1 + (type(list[i]) == 'string' and math.floor(#list[i] / 512) or 0)
  end
end
spent(ARGV)
local function counted(...)
  spent({ ... })
  local answer = redis.call(...)
  if type(answer) == 'table' then spent(answer) end
  if type(answer) == 'string' then spent({ answer }) end
  work = work + 3
  THEN
  return answer
end
`
	begin := strings.Replace(counter, "THEN", then, 1)
	s.rewrite(func(text string) string {
		flags, text, _ := strings.Cut(text, "\n") // of the first line
		text = busy.ReplaceAllString(text, "$0 work = work + 1")
		return flags + begin + strings.ReplaceAll(text, "redis.call", "counted")
	})
	return s
}

// Timed returns a store on the same connections that makes one call after the other, and calls after
// with what cpu has grown by meanwhile.
func (s *Store) Timed(cpu func() float64, after func(spent float64)) *Store {
	timed := *s
	timed.client = &timedClient{Client: s.client, cpu: cpu, after: after}
	return &timed
}

type timedClient struct {
	rueidis.Client
	cpu   func() float64
	after func(spent float64)
}

func (c *timedClient) DoMulti(
	ctx context.Context, commands ...rueidis.Completed,
) (results []rueidis.RedisResult) {
	for _, command := range commands {
		before := c.cpu()
		results = append(results, c.Client.Do(ctx, command))
		c.after(c.cpu() - before)
	}
	return results
}

// rewrite changes every script.
func (s *Store) rewrite(change func(text string) string) {
	all := &s.scripts
	for _, step := range []*script{
		&all.attach, &all.claim, &all.ack, &all.sweep,
		&all.enqueue, &all.fence, &all.giveBack, &all.lease, &all.release, &all.adopt, &all.beat,
	} {
		step.text = change(step.text)
		sum := sha1.Sum([]byte(step.text))
		step.sha = hex.EncodeToString(sum[:])
	}
}

// ReadingFirst makes Claim read traces before it freezes them, however few they are.
func (s *Store) ReadingFirst() *Store {
	s.readFirst = 0
	return s
}

// Roomy returns a store on the same connections under which every trace is a hash.
func (s *Store) Roomy() *Store {
	roomy := *s
	roomy.small = 0
	return &roomy
}

// formerName is what a generation was called in a queue before 29 November 2026.
func formerName(g buffer.Generation) string {
	name := binary.BigEndian.AppendUint64(nil, uint64(g.Project)^signBit64)
	return string(appendGeneration(append(name, g.Trace[:]...), g))
}

// Former gives what is queued of a shard, or leased, the names that it had before.
func (s *Store) Former(ctx context.Context, tb testing.TB, shard buffer.Shard, leased bool, dues ...buffer.Due) {
	keys, do := s.shardKeys(shard), s.client.B()
	for _, due := range dues {
		command := do.Zadd().Key(keys[0]).ScoreMember().
			ScoreMember(float64(due.Deadline), formerName(due.Generation)).Build()
		if leased {
			command = do.Hset().Key(keys[1]).FieldValue().
				FieldValue(formerName(due.Generation), score(due.Deadline)).Build()
		}
		if err := s.client.Do(ctx, command).Error(); err != nil {
			tb.Fatal(err)
		}
	}
}

// Age lays a small trace out as a version of 28 November 2026 did.
func (s *Store) Age(ctx context.Context, tb testing.TB, trace buffer.TraceKey) {
	key := s.traceKey(trace)
	value, err := s.client.Do(ctx, s.client.B().Get().Key(key).Build()).ToString()
	if err != nil {
		tb.Fatal(err)
	}
	old := asBefore(value, value[len(value)-1] == smallFlying)
	if err := s.client.Do(ctx, s.client.B().Set().Key(key).Value(old).Build()).Error(); err != nil {
		tb.Fatal(err)
	}
}

// Keys returns all keys in the store's namespace.
func (s *Store) Keys(ctx context.Context) ([]string, error) { return s.keys(ctx) }

// Type returns what the trace is to Redis.
func (s *Store) Type(ctx context.Context, tb testing.TB, trace buffer.TraceKey) string {
	what, err := s.client.Do(ctx, s.client.B().Type().Key(s.traceKey(trace)).Build()).ToString()
	if err != nil {
		tb.Fatal(err)
	}
	return what
}

// Fields returns how many fields the hash of a trace has.
func (s *Store) Fields(ctx context.Context, tb testing.TB, trace buffer.TraceKey) int64 {
	n, err := s.client.Do(ctx, s.client.B().Hlen().Key(s.traceKey(trace)).Build()).AsInt64()
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// LeasedEncoding returns how Redis keeps what is leased of a shard.
func (s *Store) LeasedEncoding(ctx context.Context, tb testing.TB, shard buffer.Shard) string {
	key := s.shardKeys(shard)[1]
	encoding, err := s.client.Do(ctx, s.client.B().ObjectEncoding().Key(key).Build()).ToString()
	if err != nil {
		tb.Fatal(err)
	}
	return encoding
}

// Set sets a string in the store's namespace, and Get returns one.
func (s *Store) Set(ctx context.Context, name, value string) error {
	return s.client.Do(ctx, s.client.B().Set().Key(s.config.Namespace+name).Value(value).Build()).Error()
}

// Get returns the string that Set sets.
func (s *Store) Get(ctx context.Context, name string) (string, error) {
	return s.client.Do(ctx, s.client.B().Get().Key(s.config.Namespace+name).Build()).ToString()
}

// Wipe deletes everything in the store's namespace.
func (s *Store) Wipe(ctx context.Context) error {
	keys, err := s.keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.client.Do(ctx, s.client.B().Unlink().Key(key).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// Do sends a command to every node.
func (s *Store) Do(ctx context.Context, words ...string) error {
	addresses, clients, err := s.nodes(ctx)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		client := clients[address]
		if err := client.Do(ctx, client.B().Arbitrary(words...).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// Watched returns a store on the same connections that calls before with the number of each round
// of commands, from 1, when it is about to be sent.
func (s *Store) Watched(before func(round int)) *Store {
	watched := *s
	watched.client = &watchedClient{Client: s.client, before: before}
	return &watched
}

type watchedClient struct {
	rueidis.Client
	before func(round int)
	rounds int
}

func (c *watchedClient) DoMulti(
	ctx context.Context, commands ...rueidis.Completed,
) []rueidis.RedisResult {
	c.rounds++
	c.before(c.rounds)
	return c.Client.DoMulti(ctx, commands...)
}
