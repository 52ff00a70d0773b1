package netfault

import (
	"io"
	"net"
	"testing"
)

// BenchmarkProxy compares an idle proxy with a direct connection: small questions with an answer
// each, and a stream of large blocks.
func BenchmarkProxy(b *testing.B) {
	for _, way := range []string{"direct", "proxy"} {
		for _, c := range []struct {
			name string
			size int
			run  func(b *testing.B, conn net.Conn, block []byte)
		}{{"questions", 500, pingPong}, {"stream", 128 << 10, pour}} {
			b.Run(c.name+"/"+way, func(b *testing.B) {
				e := newSink(b, c.name == "questions")
				if way == "proxy" {
					_, e = through(b, e)
				}
				conn := dial(b, e)
				b.SetBytes(int64(c.size))
				b.ResetTimer()
				c.run(b, conn, make([]byte, c.size))
			})
		}
	}
}

func pingPong(b *testing.B, conn net.Conn, block []byte) {
	for range b.N {
		if _, err := conn.Write(block); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, block); err != nil {
			b.Fatal(err)
		}
	}
}

func pour(b *testing.B, conn net.Conn, block []byte) {
	for range b.N {
		if _, err := conn.Write(block); err != nil {
			b.Fatal(err)
		}
	}
}

// newSink is a server that sends back what it gets, or throws it away.
func newSink(b *testing.B, answers bool) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	b.Cleanup(func() {
		listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		out := io.Discard
		if answers {
			out = conn
		}
		_, _ = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{conn}, make([]byte, 64<<10))
	}()
	return listener.Addr().String()
}
