package servertest

import (
	"net"
	"strconv"
	"time"

	"sluice/internal/servers"
)

// Unused returns an address of this machine on which nobody listens, and which nobody else is given.
func Unused(tb TB) string {
	tb.Helper()
	port, err := servers.FreePort()
	must(tb, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Standstills watches for how long this process gets no processor. What it returns ends that, and tells the
// longest such time and the sum of all that were longer than a moment.
func Standstills() (end func() (longest, sum time.Duration)) {
	const every, moment = 10 * time.Millisecond, 100 * time.Millisecond
	stop, ended := make(chan struct{}), make(chan struct{})
	var longest, sum time.Duration
	go func() {
		defer close(ended)
		for last := time.Now(); ; {
			select {
			case <-stop:
				return
			case <-time.After(every):
			}
			now := time.Now()
			if still := now.Sub(last) - every; still > moment {
				longest, sum = max(longest, still), sum+still
			}
			last = now
		}
	}()
	return func() (time.Duration, time.Duration) {
		close(stop)
		<-ended
		return longest, sum
	}
}
