package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestLook(t *testing.T) {
	self, alive := Look(os.Getpid())
	if !alive {
		t.Skip("this system has no /proc")
	}
	if self.Parent != os.Getppid() || self.RSS < 1<<20 || self.Stopped {
		t.Errorf("this process is %+v", self)
	}
	for self.CPU == 0 && t.Context().Err() == nil { // until the first tick
		self, _ = Look(os.Getpid())
	}
	if own := Own(); own.CPU < self.CPU || own.RSS < 1<<20 {
		t.Errorf("this process uses %+v, and by its own account %+v", self.Usage, own)
	}
	// A name may hold anything, also brackets and what looks like a state.
	cat := filepath.Join(t.TempDir(), "odd ) Z (7")
	if err := os.Symlink("/bin/cat", cat); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(cat)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if p, alive := Look(pid); !alive || p.Pid != pid || p.Parent != os.Getpid() {
		t.Errorf("%+v, alive %v", p, alive)
	}
	if !IsChild(pid, os.Getpid()) || IsChild(pid, pid) {
		t.Error("it is not known as this process's child")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	for alive = true; alive && t.Context().Err() == nil; { // a zombie, until it is waited for
		_, alive = Look(pid)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if p, alive := Look(pid); alive || p != (Info{}) {
		t.Errorf("what has ended is %+v, alive %v", p, alive)
	}
}

// TestScanFindsTheMark starts processes with and without the mark, and expects the ones with it to
// be found until they have ended.
func TestScanFindsTheMark(t *testing.T) {
	const mark = "PROCESS_TEST=scan"
	scanner := NewScanner(mark)
	if _, ok := scanner.Scan(); !ok {
		t.Skip("this system has no /proc")
	}
	for _, c := range []struct {
		env  []string
		want int
	}{
		{[]string{mark}, 1},
		{[]string{"A=1", mark, "B=2"}, 1},
		{[]string{mark + "2"}, 0},
		{[]string{"A=" + mark}, 0},
		{nil, 0},
	} {
		child := exec.Command("cat") // it ends when its input does
		child.Env = append(c.env, "PATH="+os.Getenv("PATH"))
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		// Its environment can be seen for sure once it does something: Start returns a little earlier.
		if _, err := in.Write([]byte{'x'}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		list, _ := scanner.Scan()
		if len(list) != c.want || c.want > 0 && (list[0].Pid != child.Process.Pid ||
			list[0].Parent != os.Getpid()) {
			t.Errorf("%s: found %+v", strings.Join(c.env, " "), list)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err != nil {
			t.Fatal(err)
		}
		if list, _ := scanner.Scan(); len(list) != 0 {
			t.Errorf("%s: after its end %+v", strings.Join(c.env, " "), list)
		}
	}
}

// TestAnotherProcessOfTheSameNumberIsAskedAgain, and the same one is not.
func TestAnotherProcessOfTheSameNumberIsAskedAgain(t *testing.T) {
	const mark = "PROCESS_TEST=again"
	cmd := exec.Command("cat")
	cmd.Env = []string{mark, "PATH=" + os.Getenv("PATH")}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	scanner := NewScanner(mark)
	found := func() bool {
		list, ok := scanner.Scan()
		if !ok {
			t.Skip("this system has no /proc")
		}
		return len(list) == 1
	}
	for !found() { // not before its environment is its own
		if t.Context().Err() != nil {
			t.Fatal("it was never found")
		}
	}
	k := scanner.known[cmd.Process.Pid]
	k.marked = false
	scanner.known[cmd.Process.Pid] = k
	if found() {
		t.Error("a process that is known was asked again")
	}
	if k.folder, err = os.Stat("/proc/self"); err != nil {
		t.Fatal(err)
	}
	scanner.known[cmd.Process.Pid] = k
	if !found() {
		t.Error("another process of a number that is known was not asked")
	}
}

func BenchmarkScan(b *testing.B) {
	scanner := NewScanner("PROCESS_TEST=none")
	for b.Loop() {
		scanner.Scan()
	}
}
