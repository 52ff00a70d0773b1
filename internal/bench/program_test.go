package bench

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programs are builds of cmd/run for TestBeside, as NAME=PATH.
var programs = flag.String("programs", "", "builds of cmd/run that TestBeside measures in turn, as "+
	"NAME=PATH,NAME=PATH; of other benchmarks, the first is the one that is measured")

// binary returns the cmd/run that is measured: the first of -programs, or else one that is built once.
var binary = sync.OnceValues(func() (string, error) {
	if list := builds(); len(list) > 0 {
		return list[0].path, nil
	}
	dir, err := os.MkdirTemp("", "sluice-bench")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "run")
	out, err := exec.Command("go", "build", "-o", path, "sluice/cmd/run").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build cmd/run: %w\n%s", err, out)
	}
	return path, nil
})

// buildDir holds the binary; TestMain removes it.
var buildDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir) // a temporary folder; nothing depends on its removal
	}
	os.Exit(code)
}

// program is cmd/run as a child process.
type program struct {
	cmd  *exec.Cmd
	done chan error
	// reading is closed when the program has its partitions, at the time began.
	reading chan struct{}
	began   time.Time

	mu   sync.Mutex
	log  []string
	http string // its address, as in http://127.0.0.1:1234
}

// start starts the program. It is killed when the test ends, unless it has ended before.
func start(tb testing.TB, args ...string) *program {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	return startBuild(tb, path, args...)
}

// startBuild starts a build of the program.
func startBuild(tb testing.TB, path string, args ...string) *program {
	tb.Helper()
	p := &program{done: make(chan error, 1), reading: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	output, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		p.follow(bufio.NewScanner(output))
	}()
	go func() {
		<-followed // Wait closes the pipe
		p.done <- p.cmd.Wait()
	}()
	tb.Cleanup(func() { _ = p.cmd.Process.Kill() }) // an error means that it has ended
	return p
}

// follow keeps the log and sees when reading begins.
func (p *program) follow(lines *bufio.Scanner) {
	for lines.Scan() {
		line := lines.Text()
		p.mu.Lock()
		p.log = append(p.log, line)
		if _, rest, ok := strings.Cut(line, `"serving http","address":"`); ok {
			p.http, _, _ = strings.Cut(rest, `"`)
		}
		p.mu.Unlock()
		if p.began.IsZero() && strings.Contains(line, `"partitions assigned"`) {
			p.began = time.Now()
			close(p.reading)
		}
	}
}

func (p *program) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log[max(0, len(p.log)-30):], "\n")
}

// untilReading returns the time at which the program began to read.
func (p *program) untilReading(tb testing.TB) time.Time {
	tb.Helper()
	select {
	case <-p.reading:
		return p.began
	case err := <-p.done:
		tb.Fatalf("the program ended: %v\n%s", err, p.tail())
	case <-time.After(time.Minute):
		tb.Fatalf("the program has read nothing for a minute:\n%s", p.tail())
	}
	return time.Time{}
}

// wantNoneSkewed checks that the timestamps of all messages were believed. If that of the epilogue is
// not, the benchmark measures a time-out.
func (p *program) wantNoneSkewed(tb testing.TB) {
	tb.Helper()
	p.mu.Lock()
	address := p.http
	p.mu.Unlock()
	answer, err := http.Get(address + "/metrics")
	if err != nil {
		tb.Fatalf("%v\n%s", err, p.tail())
	}
	defer answer.Body.Close()
	met := false
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "sluice_shard_skewed_total{") {
			met = true
			if !strings.HasSuffix(lines.Text(), " 0") {
				tb.Errorf("timestamps were not believed: %s", lines.Text())
			}
		}
	}
	if !met {
		tb.Error("nothing says how many timestamps were not believed")
	}
}

// pids returns the program's own process number and those of its workers.
func (p *program) pids() (own int, workers []int, err error) {
	workers, err = children(p.cmd.Process.Pid)
	return p.cmd.Process.Pid, workers, err
}

// drain asks the program to end, and waits until it has.
func (p *program) drain(tb testing.TB) {
	tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			tb.Errorf("the program ended with %v:\n%s", err, p.tail())
		}
	case <-time.After(time.Minute):
		tb.Fatalf("the program did not end within a minute of SIGTERM:\n%s", p.tail())
	}
}
