package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/redis/rueidis"

	"sluice/buffer"
)

func TestValidateJoinsAllFaults(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
	err := Config{
		Addresses: []string{"nowhere"}, Username: "u", Namespace: "a{", Slice: "}",
		MaxSegmentBytes: -1,
	}.Validate()
	for _, want := range []string{
		`"nowhere"`, `user "u"`, `namespace "a{"`, `slice "}"`, "max_segment_bytes -1",
		"dial timeout 0s", "answer timeout 0s", "traces per call 0",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the faults %v do not name %s", err, want)
		}
	}
	if err := (Config{}).Validate(); !strings.Contains(err.Error(), "no address") {
		t.Errorf("no address: %v", err)
	}
}

func TestVersions(t *testing.T) {
	for version, ok := range map[string]bool{
		"7.0.15": true, "7.2": true, "8": true, "255.255.255": true, "10.1.0-rc1": true,
		"6.2.14": false, "5.0": false, "": false, "seven": false, "-7.0": false,
	} {
		found := server{name: "redis", version: version, mode: "standalone"}
		err := DefaultConfig().acceptable("host:1", found)
		if (err == nil) != ok {
			t.Errorf("version %q: %v", version, err)
		}
		if err != nil && !strings.Contains(err.Error(), "host:1") {
			t.Errorf("version %q: the error %q does not name the node", version, err)
		}
	}
	if err := DefaultConfig().acceptable("h:1", server{name: "miniredis", version: "0"}); err != nil {
		t.Errorf("miniredis is refused: %v", err)
	}
	if err := DefaultConfig().acceptable("h:1", server{version: "7.0", mode: "sentinel"}); err == nil {
		t.Error("a sentinel is accepted")
	}
}

func TestClassify(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	if err := classify(t.Context(), refused); !errors.Is(err, buffer.ErrUnavailable) {
		t.Errorf("a refused connection is %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := classify(canceled, refused); err != context.Canceled {
		t.Errorf("a cancelled context is %v", err)
	}
	if err := classify(t.Context(), nil); err != nil {
		t.Errorf("no error is %v", err)
	}
	for text, want := range map[string]error{
		"OOM command not allowed":     buffer.ErrFull,
		"STALE the shard is at":       buffer.ErrStale,
		"LOADING Redis is loading":    buffer.ErrUnavailable,
		"CLUSTERDOWN The cluster":     buffer.ErrUnavailable,
		"TRYAGAIN Multiple keys":      buffer.ErrUnavailable,
		"MASTERDOWN Link with MASTER": buffer.ErrUnavailable,
		"READONLY You can't write":    buffer.ErrUnavailable,
		"MISCONF Redis is configured": buffer.ErrUnavailable,
		"NOPERM this user has no":     buffer.ErrUnavailable,
		"NOAUTH Authentication":       buffer.ErrUnavailable,
		"WRONGPASS invalid username":  buffer.ErrUnavailable,
		"ERR ACL failure in script: ": buffer.ErrUnavailable,
		"UNBLOCKED force unblock":     buffer.ErrUnavailable,
		"NOREPLICAS Not enough good":  buffer.ErrUnavailable,
		"DENIED Redis is running in":  buffer.ErrUnavailable,
		// The client leaves ERR out.
		"max number of clients reached":                             buffer.ErrUnavailable,
		"ERR max number of clients + cluster connections reached":   buffer.ErrUnavailable,
		"Error running script: Script killed by user with FUNCTION": buffer.ErrUnavailable,
		"UNKILLABLE Sorry the script":                               nil,
		"CROSSSLOT Keys in request":                                 nil,
		"ERR unknown command":                                       nil,
		"WRONGTYPE Operation":                                       nil,
	} {
		err := classifyReply(text)
		for _, sentinel := range []error{buffer.ErrFull, buffer.ErrStale, buffer.ErrUnavailable} {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%q is %v, want %v", text, err, want)
			}
		}
	}
}

func randomSubtree(random *rand.Rand) buffer.Subtree {
	subtree := buffer.Subtree{Parent: buffer.SpanID{9}}
	for range 1 + random.IntN(5) {
		span := buffer.Span{
			ID: buffer.SpanID{byte(random.IntN(256))}, Parent: buffer.SpanID{byte(random.IntN(10))},
			Root: random.IntN(2) == 0, Size: random.IntN(1e9),
			Position: buffer.Position{
				Partition: int32(random.IntN(3)) - 1, Offset: random.Int64() - random.Int64(),
			},
		}
		if n := random.IntN(400); n > 0 {
			span.Payload = []byte(strings.Repeat(fmt.Sprint(n), n)[:n])
		} else if random.IntN(2) == 0 {
			span.Payload = []byte{}
		}
		if random.IntN(2) == 0 {
			span.Size = len(span.Payload)
		}
		if random.IntN(2) == 0 {
			span.Marks = buffer.Marks{random.Uint32(), uint32(random.IntN(500)), 1}
		}
		subtree.Spans = append(subtree.Spans, span)
	}
	return subtree
}

func testStore(t testing.TB) *Store {
	decompressor, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(decompressor.Close)
	return &Store{decompressor: decompressor}
}

func TestFramesReadBack(t *testing.T) {
	compressor, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, random := testStore(t), rand.New(rand.NewPCG(1, 2))
	var scratch []byte
	for range 300 {
		var blob []byte
		var want []buffer.Span
		for range 1 + random.IntN(3) {
			subtree := randomSubtree(random)
			mask := make([]byte, len(subtree.Spans))
			for i, span := range subtree.Spans {
				if mask[i] = byte(random.IntN(4)); mask[i] != 0 {
					mask[i] = 1
					want = append(want, span)
				}
			}
			blob = appendUint24(append(blob, frameMask), len(mask))
			blob = append(blob, mask...)
			with := compressor
			if random.IntN(2) == 0 {
				with = nil
			}
			blob = appendFrame(blob, subtree, with, &scratch)
		}
		got, err := s.readBlob(nil, buffer.TraceKey{}, string(blob))
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	}
}

// TestAFlagOfALaterVersion is not read over: its value would be taken for the payload's length.
func TestAFlagOfALaterVersion(t *testing.T) {
	subtree := buffer.Subtree{Spans: []buffer.Span{{Size: len("payload"), Payload: []byte("payload")}}}
	body := appendBody(nil, subtree)
	if spans, err := readBody(nil, buffer.TraceKey{}, body, nil); err != nil || len(spans) != 1 {
		t.Fatalf("%v, %v", spans, err)
	}
	flags := len(body) - len("payload") - 3 // before the offset and the length
	body[flags] |= flagNewer
	if spans, err := readBody(nil, buffer.TraceKey{}, body, nil); !errors.Is(err, errFrame) ||
		!strings.Contains(err.Error(), "later version") {
		t.Errorf("%v, %v", spans, err)
	}
}

func FuzzDamagedBlob(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	var scratch []byte
	for range 5 {
		f.Add(string(appendFrame(nil, randomSubtree(random), nil, &scratch)))
	}
	f.Add(string([]byte{frameMask, 1, 0, 0, 0}))
	s := testStore(f)
	f.Fuzz(func(t *testing.T, blob string) {
		// It must neither panic nor allocate without bound, whatever it returns.
		if spans, _ := s.readBlob(nil, buffer.TraceKey{}, blob); len(spans) > len(blob) {
			t.Errorf("%d spans in %d bytes", len(spans), len(blob))
		}
		state := []byte(blob)
		if record, _, err := segmentRecord(state, buffer.SpanID{}); err == nil && record != nil {
			_, _, _ = claimedEntries(record, buffer.DeliveryID{}, buffer.Owner{})
		}
	})
}

func TestCutFillsAnAllocation(t *testing.T) {
	for n := 1; n < 300_000; n += 1 + n/97 {
		cut := bestCut(n)
		if cut == n {
			continue
		}
		if cut <= 0 || cut > n {
			t.Fatalf("%d bytes are cut at %d", n, cut)
		}
		if waste := allocated(cut) - cut - header(cut); waste != 0 {
			t.Errorf("%d bytes are cut at %d, which leaves %d bytes unused", n, cut, waste)
		}
		if both := allocated(cut) + fieldBytes + allocated(n-cut); both >= allocated(n) {
			t.Errorf("%d bytes cut at %d take %d, whole %d", n, cut, both, allocated(n))
		}
	}
}

func TestNamesCompareAsNumbers(t *testing.T) {
	numbers := []int64{-1 << 62, -300, -1, 0, 1, 255, 256, 1 << 40, 1<<62 + 1}
	for i, n := range numbers {
		id := buffer.DeliveryID{Partition: int32(i) - 4, Number: n}
		if back := readDelivery(string(appendDelivery(nil, id))); back != id {
			t.Errorf("%v reads back as %v", id, back)
		}
		g := buffer.Generation{
			TraceKey: buffer.TraceKey{Project: buffer.ProjectID(n), Trace: buffer.TraceID{1, 2}},
			Segment:  buffer.SpanID{3}, ID: id,
		}
		if back, err := readMember(member(g)); err != nil || back != g {
			t.Errorf("%v reads back as %v, %v", g, back, err)
		}
		if i > 0 && string(appendInstant(nil, buffer.Instant(numbers[i-1]))) >=
			string(appendInstant(nil, buffer.Instant(n))) {
			t.Errorf("instant %d does not come before %d", numbers[i-1], n)
		}
	}
}

func TestReadMemory(t *testing.T) {
	const info = "# Memory\r\nused_memory:1048576\r\nused_memory_rss:9\r\nmaxmemory:2097152\r\n"
	if used, limit, err := ReadMemory(info); used != 1<<20 || limit != 2<<20 || err != nil {
		t.Errorf("%d of %d, %v", used, limit, err)
	}
	for _, bad := range []string{"", "used_memory:1\r\n", "used_memory:x\r\nmaxmemory:0\r\n"} {
		if _, _, err := ReadMemory(bad); err == nil {
			t.Errorf("%q is read without an error", bad)
		}
	}
}

func TestADamagedSmallTraceIsRefused(t *testing.T) {
	whole := string(appendSmall([]byte("blob"), buffer.Delivery{},
		&buffer.Subtree{Spans: make([]buffer.Span, 2)}, 10))
	if trace, err := readSmall(buffer.TraceKey{}, whole); err != nil || trace.frames != "blob" ||
		trace.Spans != 2 || trace.size != 10 || trace.seen == "" {
		t.Errorf("got %+v and %v, want the blob, of 2 spans and 10 bytes", trace, err)
	}
	n, count := len(whole), len(whole)-smallEnd+smallCount
	old := asBefore(whole, false)
	for name, value := range map[string]string{
		"empty": "", "two bytes": "xx", "cut off": whole[25:],
		"more spans than it has": whole[:count] + "\x09" + whole[count+1:],
		"of a later version":     whole[:n-1] + "\x04",
		"old, cut off":           old[10:],
		"old, of nobody":         old[:len(old)-1] + "\x01",
	} {
		if trace, err := readSmall(buffer.TraceKey{}, value); err == nil {
			t.Errorf("%s: read as %+v", name, trace)
		}
	}
}

func TestReadsSmallTracesOfBefore(t *testing.T) {
	spans := []buffer.Span{{ID: buffer.SpanID{1}}, {ID: buffer.SpanID{2}}}
	now := string(appendSmall([]byte("blob"), buffer.Delivery{Clock: 7, ID: buffer.DeliveryID{Number: 3}},
		&buffer.Subtree{Parent: buffer.SpanID{1}, Spans: spans}, 10))
	flying := now[:len(now)-ownerLen-1] + string(appendOwner(nil, buffer.Owner{Shard: 1, Epoch: 2})) + "\x03"
	for name, value := range map[string]string{"live": now, "in flight": flying} {
		old := asBefore(value, name == "in flight")
		if got := modern(old); got != value {
			t.Errorf("%s: %q becomes %q, want %q", name, old, got, value)
		}
		want, err := readSmall(buffer.TraceKey{}, value)
		got, err2 := readSmall(buffer.TraceKey{}, old)
		// What it looks like now is no good for a comparison in Redis.
		if want.seen, want.offset, got.offset = "", 0, 0; err != nil || err2 != nil || got != want {
			t.Errorf("%s: read as %+v, %v, want %+v, %v", name, got, err2, want, err)
		}
	}
}

// asBefore is a small trace as a version of 28 November 2026 laid it out.
func asBefore(value string, flying bool) string {
	end := value[len(value)-smallEnd:]
	from := len(value) - smallEnd - 8*int(end[smallCount])
	ids := value[from : len(value)-smallEnd]
	old := value[:from] + end[smallName:smallOwner] + end[:smallCount] + ids
	if flying {
		return old + end[smallOwner:smallState] + end[smallCount:smallName] + "\x01"
	}
	return old + end[smallCount:smallName] + "\x00"
}

// TestASilentServerIsAskedInTime: that a server is silent is known after AnswerTimeout and half of it, for
// the client asks whether it is there, and waits AnswerTimeout for that; not after the client's second.
func TestASilentServerIsAskedInTime(t *testing.T) {
	for answer, want := range map[time.Duration]time.Duration{
		10 * time.Second: time.Second, 100 * time.Millisecond: 50 * time.Millisecond,
	} {
		c := DefaultConfig()
		c.AnswerTimeout = answer
		if got := c.options(false).Dialer.KeepAlive; got != want {
			t.Errorf("with %v for an answer it asks after %v, want %v", answer, got, want)
		}
	}
}

// stuck is a client that gives no answer to what it is asked until it is let go.
type stuck struct {
	rueidis.Client
	letGo chan struct{}
	ended atomic.Bool
}

func (c *stuck) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	select {
	case <-c.letGo:
	case <-time.After(10 * time.Second):
	}
	c.ended.Store(true)
	return c.Client.Do(ctx, command)
}

// TestAClientThatIsStuckIsNotWaitedFor by who asks what nodes do when they are full, beyond its context: one that
// dials a node that hangs does not heed that, and a program that ends would wait for it.
func TestAClientThatIsStuckIsNotWaitedFor(t *testing.T) {
	c := DefaultConfig()
	c.Addresses = []string{miniredis.RunT(t).Addr()}
	client, err := c.client(false)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	node := &stuck{Client: client, letGo: make(chan struct{})}
	defer close(node.letGo)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errs := evictionsOf(ctx, []string{"a"}, map[string]rueidis.Client{"a": node})
	if !errors.Is(errs[0], context.Canceled) || node.ended.Load() {
		t.Errorf("%v, and the client has ended: %v; want that it was not waited for", errs[0], node.ended.Load())
	}
}
