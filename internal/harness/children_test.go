package harness

import (
	"os/exec"
	"syscall"
	"testing"
)

// TestCensusCountsNoServers: a process with a session of its own is a server that was started again.
func TestCensusCountsNoServers(t *testing.T) {
	c := newCensus()
	for _, own := range []bool{true, false} {
		cmd := exec.Command("sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: own, Setpgid: !own}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		})
		want := 1
		if own {
			want = 0
		}
		if got := c.count(); got != want && got != processesUnknown {
			t.Errorf("%d workers, want %d", got, want)
		}
	}
}
