package netfault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
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
	sent := make([]byte, 8<<20)
	_, _ = rand.Read(sent) // it never fails
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(sent, got) {
		t.Errorf("what came back differs: %v", err)
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
	if now := n.doors[e.address].requests.now().effect; now != (effect{}) {
		t.Errorf("when all is undone, %+v is left", now)
	}
}

// TestDelaysOverlap: what came together leaves together; it is not one delay after the other.
func TestDelaysOverlap(t *testing.T) {
	const by = time.Minute
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_, _ = io.Copy(io.Discard, theirs)
		theirs.Close()
	}()
	came := time.Now().Add(-by)
	p := newPipe(newHalf(), nil, ours)
	p.queue = []chunk{{data: []byte("a"), came: came}, {data: []byte("b"), came: came},
		{data: []byte("c"), came: came.Add(by)}}
	p.held = 3
	for _, want := range []string{"a", "b"} {
		e := effect{delay: by}
		if head := p.queue[0]; string(head.data) != want || p.due(e) > 0 {
			t.Fatalf("%q is due in %v, want %q at once", head.data, p.due(e), want)
		}
		check(t, p.send(e))
	}
	if wait := p.due(effect{delay: by}); wait <= 0 || p.held != 1 {
		t.Errorf("%q came later and is due in %v", p.queue[0].data, wait)
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

func TestCutClosesOnce(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	for range 3 {
		conn := dial(t, way)
		send(t, conn, "ping")
		expect(t, conn, "ping")
		check(t, n.Cut(e.address))
		expectClosed(t, conn)
	}
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
// take, must keep no fault from starting and ending, nor Close from closing. TestMain looks for what
// is left behind.
func TestFaultsOnAPeerThatTakesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close() // nobody accepts or reads
	upstream := listener.Addr().String()
	n := Open()
	way, err := n.Add(upstream)
	check(t, err)
	conn := dial(t, way)
	check(t, conn.SetWriteDeadline(time.Now().Add(time.Second)))
	if _, err := conn.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v: the server takes it all, so the test shows nothing", err)
	}
	slow, err := n.Slow(upstream, Both, time.Millisecond)
	check(t, err)
	swallow, err := n.BlackHole(upstream, Both)
	check(t, err)
	check(t, slow())
	check(t, swallow())
	expectClosed(t, conn)
	second := dial(t, way)
	_, _ = second.Write(make([]byte, 1<<20)) // it may take it or not
	_, err = n.Refuse(upstream)
	check(t, err)
	n.Close()
	expectRefused(t, way)
}
