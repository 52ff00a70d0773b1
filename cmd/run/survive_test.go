package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sluice/internal/pipeline/pipelinetest"
)

// Signals that daemons get, by the end of a terminal or from a tool that rotates logs, do not end it.
func TestSignalsWithoutAMeaningAreSurvived(t *testing.T) {
	t.Parallel()
	w := pipelinetest.Fakes(t)
	p := launch(t, nil, processArgs(w)...)
	wait := send(t, w, 4000, 2000)
	w.AwaitOut(t, 1)
	p.signal(t, syscall.SIGHUP)
	p.says(t, "nothing to reload")
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE} {
		p.signal(t, s)
	}
	p.says(t, "user defined signal 2")
	for _, pid := range p.workers(t) {
		if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
	}
	wait()
	w.AwaitSettled(t)
	p.signal(t, syscall.SIGTERM)
	p.wants(t, codeDone)
	w.CheckNothingLost(t, pipelinetest.NoRepeats)
	if strings.Contains(p.out.String(), `"msg":"failed"`) {
		t.Error("a worker died of a signal")
	}
}

// full returns a pipe that takes no more, as that of a reader that has stopped to read.
func full(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close()) }) // closed already, or not
	fd := int(writer.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = syscall.Write(fd, make([]byte, 4096))
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return reader, writer
}

// Whoever reads the log stops to read, or goes away: the pipeline does neither.
func TestALogThatNobodyReads(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, reader *os.File){
		"it stops": func(*testing.T, *os.File) {},
		"it goes": func(t *testing.T, reader *os.File) {
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.Fakes(t)
			reader, writer := full(t)
			address := unused(t)
			cmd := exec.Command("/proc/self/exe", processArgs(w, "--http="+address, "--log-level=debug")...)
			cmd.Env = append(os.Environ(), asProgram+"=1", "SLUICE_WRITE=at once")
			cmd.Stderr = writer
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			harm(t, reader)
			send(t, w, 8000, 4000)()
			w.AwaitSettled(t)
			answer, err := http.Get("http://" + address + "/readyz")
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Errorf("/readyz: %v %v", answer, err)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			w.CheckNothingLost(t, pipelinetest.NoRepeats)
		})
	}
}

// lintMetrics is what promtool check metrics does.
func lintMetrics(t *testing.T, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
