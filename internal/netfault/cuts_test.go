package netfault

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestFiftyCutsUnderLoadLeaveNothing cuts connections with bytes under way in both directions.
func TestFiftyCutsUnderLoadLeaveNothing(t *testing.T) {
	e := newEcho(t)
	n, way := through(t, e.address)
	before := runtime.NumGoroutine()
	stop := make(chan struct{})
	var load sync.WaitGroup
	var dialled, answered atomic.Int64
	for range 4 {
		load.Go(func() {
			block := make([]byte, 256<<10)
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.Dial("tcp", way)
				if err != nil {
					continue
				}
				dialled.Add(1)
				go func() {
					part := make([]byte, 64<<10)
					for {
						if _, err := conn.Read(part); err != nil {
							return
						}
						answered.Add(1)
					}
				}()
				for err == nil {
					_, err = conn.Write(block)
				}
				conn.Close()
			}
		})
	}
	for range 50 {
		had := answered.Load()
		eventually(t, "bytes come back", func() bool { return answered.Load() > had })
		check(t, n.Cut(e.address))
	}
	close(stop)
	check(t, n.Cut(e.address))
	load.Wait()
	if dialled.Load() < 50 {
		t.Errorf("only %d connections were made, so the cuts show nothing", dialled.Load())
	}
	// One for the listener may be there or not.
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+1 })
}
