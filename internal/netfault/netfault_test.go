package netfault

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is enough for what must happen, brief for what must not.
const (
	long  = 20 * time.Second
	brief = 100 * time.Millisecond
)

// echo is a server that sends back what it gets, and notes it.
type echo struct {
	address string

	mu  sync.Mutex
	got []byte
}

func newEcho(t testing.TB) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{address: listener.Addr().String()}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { e.serve(conn) })
		}
	})
	return e
}

func (e *echo) serve(conn net.Conn) {
	defer conn.Close()
	part := make([]byte, 64<<10)
	for {
		n, err := conn.Read(part)
		if err != nil {
			return
		}
		e.mu.Lock()
		e.got = append(e.got, part[:n]...)
		e.mu.Unlock()
		if _, err := conn.Write(part[:n]); err != nil {
			return
		}
	}
}

func (e *echo) received() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.got)
}

func (e *echo) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = nil
}

// through returns a network with a proxy to the server.
func through(t testing.TB, upstream string) (*Net, string) {
	t.Helper()
	n := Open()
	t.Cleanup(n.Close)
	way, err := n.Add(upstream)
	if err != nil {
		t.Fatal(err)
	}
	return n, way
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, long)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func send(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	check(t, conn.SetReadDeadline(time.Now().Add(long)))
	got := make([]byte, len(text))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got[:n], err, text)
	}
}

func expectSilence(t testing.TB, conn net.Conn) {
	t.Helper()
	check(t, conn.SetReadDeadline(time.Now().Add(brief)))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want nothing", n, err)
	}
}

func expectClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	check(t, conn.SetReadDeadline(time.Now().Add(long)))
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want a closed connection", n, err)
	}
}

func expectRefused(t testing.TB, address string) {
	t.Helper()
	if conn, err := net.DialTimeout("tcp", address, long); err == nil {
		conn.Close()
		t.Fatalf("%s lets connections in", address)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after %v: %s", long, what)
		}
	}
}

func TestBytesPassUnchanged(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	if again, err := n.Add(e.address); err != nil || again != way || n.Routes()[e.address] != way {
		t.Errorf("added again as %s, %v, routes %v; want %s", again, err, n.Routes(), way)
	}
	conn := dial(t, way)
	for range 2 {
		sent := make([]byte, 8<<20)
		_, _ = rand.Read(sent) // it never fails
		go func() { _, _ = conn.Write(sent) }()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(sent, got) {
			t.Errorf("what came back differs: %v", err)
		}
		_, err := n.Slow(e.address, Both, time.Millisecond) // now in a queue
		check(t, err)
	}
}

func TestSlowAddsUp(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	conn := dial(t, way)
	const by = 30 * time.Millisecond
	var undos []Undo
	for i, c := range []struct {
		direction Direction
		least     time.Duration
	}{{Requests, by}, {Answers, 2 * by}, {Both, 4 * by}} {
		undo, err := n.Slow(e.address, c.direction, by)
		check(t, err)
		undos = append(undos, undo)
		began := time.Now()
		send(t, conn, "ping")
		expect(t, conn, "ping")
		if took := time.Since(began); took < c.least {
			t.Errorf("with %d faults it took %v, want %v or more", i+1, took, c.least)
		}
	}
	for _, undo := range undos {
		check(t, undo())
		check(t, undo()) // nothing any more
	}
	if left := n.doors[e.address].requests.sum; left != (effect{}) {
		t.Errorf("when all is undone, %+v is left", left)
	}
}

// TestDelaysOverlap: what came together leaves together; it is not one delay after the other.
func TestDelaysOverlap(t *testing.T) {
	const by = time.Minute
	came := time.Now().Add(-by)
	p := pipe{held: 3, queue: []chunk{
		{[]byte("a"), came}, {[]byte("b"), came}, {[]byte("c"), came.Add(by)},
	}}
	for _, want := range []string{"a", "b"} {
		piece, due := p.next(effect{delay: by})
		if string(piece) != want || due.After(time.Now()) {
			t.Fatalf("%q is due at %v, want %q at once", piece, due, want)
		}
		p.sent(len(piece), effect{delay: by})
	}
	if piece, due := p.next(effect{delay: by}); !due.After(time.Now()) || p.held != 1 {
		t.Errorf("%q came later and is due at %v", piece, due)
	}
}

func TestThrottle(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	conn := dial(t, way)
	const rate, size = 200_000, 60_000
	for _, d := range []Direction{Requests, Answers} {
		undo, err := n.Throttle(e.address, d, rate)
		check(t, err)
		_, err = n.Throttle(e.address, d, 1<<40) // the lower rate counts
		check(t, err)
		text := string(bytes.Repeat([]byte{'x'}, size))
		began := time.Now()
		send(t, conn, text)
		expect(t, conn, text)
		if took, least := time.Since(began), size*time.Second/rate-pieceEvery; took < least {
			t.Errorf("%d bytes at %d/s took %v, want %v or more", size, rate, took, least)
		}
		check(t, undo())
	}
}

func TestBlackHoleSwallowsAndThenCloses(t *testing.T) {
	for _, c := range []struct {
		name      string
		direction Direction
		arrives   string
	}{{"requests", Requests, ""}, {"answers", Answers, "lost"}, {"both", Both, ""}} {
		t.Run(c.name, func(t *testing.T) {
			e := newEcho(t)
			n, way := through(t, e.address)
			conn := dial(t, way)
			undo, err := n.BlackHole(e.address, c.direction)
			check(t, err)
			send(t, conn, "lost")
			eventually(t, "server got "+c.arrives, func() bool { return e.received() == c.arrives })
			expectSilence(t, conn)
			check(t, undo())
			expectClosed(t, conn)
			if got := e.received(); got != c.arrives {
				t.Errorf("the server got %q, want %q", got, c.arrives)
			}
			fresh := dial(t, way)
			send(t, fresh, "ping")
			expect(t, fresh, "ping")
		})
	}
}

func TestHoldKeepsEverything(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	for _, d := range []Direction{Requests, Answers, Both} {
		conn := dial(t, way)
		undo, err := n.Hold(e.address, d)
		check(t, err)
		send(t, conn, "kept")
		expectSilence(t, conn)
		check(t, undo())
		expect(t, conn, "kept")
	}
}

// TestHoldThatIsFull: a pipe that takes no more still sees its fault end, and its connection cut.
func TestHoldThatIsFull(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	conn := dial(t, way)
	undo, err := n.Hold(e.address, Requests)
	check(t, err)
	kept := fill(t, conn)
	check(t, undo())
	check(t, conn.SetReadDeadline(time.Now().Add(long)))
	if came, err := io.CopyN(io.Discard, conn, kept); err != nil {
		t.Fatalf("%d bytes of %d came back: %v", came, kept, err)
	}
	_, err = n.Hold(e.address, Requests)
	check(t, err)
	fill(t, conn)
	check(t, n.Cut(e.address))
	expectClosed(t, conn)
}

// fill sends until nothing more is taken, and returns how many bytes were.
func fill(t testing.TB, conn net.Conn) int64 {
	t.Helper()
	check(t, conn.SetWriteDeadline(time.Now().Add(time.Second)))
	taken, err := conn.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v: it is all taken, so the test shows nothing", err)
	}
	return int64(taken)
}

// TestWhatIsUnderWayArrives: a client that sends and leaves is still heard.
func TestWhatIsUnderWayArrives(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	_, err := n.Slow(e.address, Requests, brief)
	check(t, err)
	conn := dial(t, way)
	send(t, conn, "last words")
	conn.Close()
	eventually(t, "the last words arrive", func() bool { return e.received() == "last words" })
}

// TestEitherEndCloses: who closes its end of a connection closes the other's.
func TestEitherEndCloses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	_, way := through(t, listener.Addr().String())
	for _, leaver := range []string{"client", "server"} {
		client := dial(t, way)
		server, err := listener.Accept()
		check(t, err)
		defer server.Close()
		if leaver == "client" {
			client.Close()
			expectClosed(t, server)
		} else {
			server.Close()
			expectClosed(t, client)
		}
	}
}

func (h *half) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.pipes)
}

func TestCutClosesOnce(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	for range 3 {
		conn := dial(t, way)
		send(t, conn, "ping")
		expect(t, conn, "ping")
		check(t, n.Cut(e.address))
		if left := n.doors[e.address].requests.count(); left > 0 {
			t.Errorf("%d connections are left", left)
		}
		expectClosed(t, conn)
	}
}

// TestCutsUnderLoad: connections that break with bytes under way leave nothing behind.
func TestCutsUnderLoad(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	idle := runtime.NumGoroutine()
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var echoed atomic.Int64
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				talk(ctx, way, &echoed)
			}
		})
	}
	for range 50 {
		before := echoed.Load()
		eventually(t, "blocks come back", func() bool { return echoed.Load() >= before+20 })
		check(t, n.Cut(e.address))
		e.forget()
	}
	stop()
	clients.Wait()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= idle })
}

// talk sends blocks and counts those that come back, over one connection, until it breaks.
func talk(ctx context.Context, address string, echoed *atomic.Int64) {
	conn, err := net.DialTimeout("tcp", address, long)
	if err != nil {
		return // a cut shuts the door for a moment
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var sender sync.WaitGroup
	sender.Go(func() {
		for block := make([]byte, 10<<10); err == nil; {
			_, err = conn.Write(block)
		}
	})
	for block := make([]byte, 10<<10); ; echoed.Add(1) {
		if _, err := io.ReadFull(conn, block); err != nil {
			break
		}
	}
	conn.Close()
	sender.Wait()
}

func TestRefusalsEndWithTheLast(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	conn := dial(t, way)
	first, err := n.Refuse(e.address)
	check(t, err)
	expectClosed(t, conn)
	second, err := n.Refuse(e.address)
	check(t, err)
	check(t, n.Cut(e.address)) // opens nothing
	check(t, first())
	expectRefused(t, way)
	check(t, second())
	conn = dial(t, way)
	send(t, conn, "ping")
	expect(t, conn, "ping")
}

func TestUnknownServer(t *testing.T) {
	n, _ := through(t, newEcho(t).address)
	if err := n.Cut("10.0.0.1:1"); err == nil {
		t.Error("a server without a proxy was cut off")
	}
	if _, err := n.Slow("10.0.0.1:1", Both, time.Second); err == nil {
		t.Error("a server without a proxy was slowed down")
	}
}

// TestFaultsOnAPeerThatTakesNothing: a frozen server, with more under way to it than its buffers
// take, must keep no fault from starting and ending, nor Close from closing. TestMain looks for
// what is left behind.
func TestFaultsOnAPeerThatTakesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close() // nobody accepts or reads
	upstream := listener.Addr().String()
	n := Open()
	way, err := n.Add(upstream)
	check(t, err)
	conn := dial(t, way)
	fill(t, conn)
	slow, err := n.Slow(upstream, Both, time.Millisecond)
	check(t, err)
	swallow, err := n.BlackHole(upstream, Both)
	check(t, err)
	check(t, conn.SetWriteDeadline(time.Now().Add(long)))
	if _, err := conn.Write(make([]byte, 64<<20)); err != nil {
		t.Errorf("a black hole takes everything: %v", err)
	}
	check(t, slow())
	check(t, swallow())
	expectClosed(t, conn)
	second := dial(t, way)
	fill(t, second)
	_, err = n.Refuse(upstream)
	check(t, err)
	n.Close()
	expectRefused(t, way)
}
