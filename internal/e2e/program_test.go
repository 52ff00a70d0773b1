package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"sluice/internal/process"
	"sluice/internal/syncbuf"
)

// binary builds cmd/run once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-e2e")
	if err != nil {
		return "", err
	}
	built.dir = dir
	path := filepath.Join(dir, "run")
	out, err := exec.Command("go", "build", "-o", path, "sluice/cmd/run").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build cmd/run: %w\n%s", err, out)
	}
	return path, nil
})

// built holds the folder of the binary, which TestMain removes.
var built struct{ dir string }

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // a temporary folder; nothing depends on its removal
	}
	os.Exit(code)
}

// program is cmd/run as a child process.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	http string
	done chan error

	log syncbuf.Buffer
}

// start starts the program and waits until it is ready.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := launch(t, nil, args...)
	p.awaitReady()
	return p
}

// launch starts the program, changed as it is told; nil: not at all.
func launch(t *testing.T, change func(*exec.Cmd), args ...string) *program {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, http: freeAddr(t), done: make(chan error, 1)}
	p.cmd = exec.Command(path, append(args, "--http", p.http)...)
	p.cmd.Stderr, p.cmd.Stdout = &p.log, &p.log
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SLUICE_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	if change != nil {
		change(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended already unless the test failed
		if t.Failed() {
			t.Logf("log of process %d, its end:\n%s", p.pid(), p.tail())
		}
	})
	return p
}

func (p *program) awaitReady() {
	p.t.Helper()
	until(p.t, time.Minute, "the program is ready", func() error {
		select {
		case err := <-p.done:
			p.t.Fatalf("the program ended: %v", err)
		default:
		}
		return p.ready()
	})
}

// ends waits until the program has ended by itself, with this code.
func (p *program) ends(code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Fatal("the program did not end within a minute")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d", got, code)
	}
}

func (p *program) pid() int { return p.cmd.Process.Pid }

func (p *program) tail() string {
	text := p.log.String()
	return text[max(0, len(text)-12_000):]
}

// logged tells whether a line of the log has all the words.
func (p *program) logged(words ...string) bool { return hasLine(p.log.String(), words...) }

func (p *program) get(path string) (int, string, error) {
	answer, err := http.Get("http://" + p.http + path)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func (p *program) ready() error {
	code, body, err := p.get("/readyz")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%d: %s", code, body)
	}
	return err
}

// workers returns the process ids of the workers: the program's children.
func (p *program) workers() []int { return children(p.t, p.pid()) }

// awaitWorkers waits until there are so many workers.
func (p *program) awaitWorkers(n int) (workers []int) {
	p.t.Helper()
	until(p.t, 20*time.Second, "the workers run", func() error {
		if workers = p.workers(); len(workers) != n {
			return fmt.Errorf("%v, want %d", workers, n)
		}
		return nil
	})
	return workers
}

// drain asks the program to end, and waits until it has.
func (p *program) drain(within time.Duration) {
	p.t.Helper()
	p.signal(p.pid(), syscall.SIGTERM)
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("the program ended with %v", err)
		}
	case <-time.After(within):
		p.t.Fatalf("the program did not end within %v of SIGTERM", within)
	}
	p.checkLog()
}

func (p *program) signal(pid int, sig syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		p.t.Fatalf("send %v to %d: %v", sig, pid, err)
	}
}

// children returns the processes whose parent is pid.
func children(t *testing.T, pid int) []int {
	t.Helper()
	all, err := procfs.AllProcs()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, one := range all {
		if p, alive := process.Look(one.PID); alive && p.Parent == pid {
			found = append(found, p.Pid)
		}
	}
	return found
}

// gone tells whether none of the processes runs any more.
func gone(pids []int) error {
	for _, pid := range pids {
		if p, alive := process.Look(pid); alive {
			return fmt.Errorf("process %d is still there: %+v", pid, p)
		}
	}
	return nil
}

// until polls until the condition has no error any more.
func until(t *testing.T, within time.Duration, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %v", within, what, err)
		}
		hold(100 * time.Millisecond)
	}
}

// hold lets an outage, or the time between two looks, last so long.
func hold(d time.Duration) { <-time.After(d) }
