package process

import (
	"os/exec"
	"testing"
)

// TestIdentity: only a process of this machine that is surely gone has ended.
func TestIdentity(t *testing.T) {
	self := Self()
	if self.Space == "" {
		t.Skip("no /proc here")
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	other := self
	other.Pid = child.Process.Pid
	now, _ := Look(other.Pid)
	other.Start = now.start
	later, elsewhere, unknown := other, other, other
	later.Start++
	elsewhere.Space += "x"
	unknown.Space = ""
	if self.Ended() || other.Ended() || !later.Ended() {
		t.Errorf("this process has ended: %v, its child %v, an earlier one of its number: %v",
			self.Ended(), other.Ended(), later.Ended())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for !other.Ended() { // killed, and at first nobody has waited for it
		if _, alive := Look(other.Pid); !alive && !other.Ended() {
			t.Fatal("a zombie has not ended")
		}
	}
	_ = child.Wait()
	if !other.Ended() || elsewhere.Ended() || unknown.Ended() {
		t.Errorf("a child that was killed has ended: %v, elsewhere %v, nobody knows where %v",
			other.Ended(), elsewhere.Ended(), unknown.Ended())
	}
}
