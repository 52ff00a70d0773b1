package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sluice/internal/ledger"
	"sluice/internal/servers/servertest"
)

// Signals that daemons get, by the end of a terminal or from a tool that rotates logs, end neither the
// program nor its worker. What such a program then serves and says is what an operator can use: metrics
// that pass the linter, a doubtful setting once, one line for one cause however many partitions it
// concerns, and a few of what is repeated.
func TestSignalsThatDaemonsGet(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	p := launch(t, func(c *exec.Cmd) {
		c.Env = append(c.Env, "SLUICE_REDIS=", "SLUICE_MAX_BATCH=") // as templates have them
	}, append(tr.args(), "--redis", redis.addrs(), "--timeout", "3s", "--root-timeout", "4s",
		"--max-batch-wait", "100ms", "--max-unhealthy", "3s")...)
	p.awaitReady()
	if !p.logged("WARN", "--root-timeout 4s is above --timeout 3s") {
		t.Error("nothing is said of a root time-out above the time-out")
	}
	tr.send()
	sentAtLeast(tr, 1000)
	until(t, 20*time.Second, "the worker is healthy", func() error {
		if p.said("healthy") == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	workers := p.awaitWorkers(1)
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE,
		syscall.SIGWINCH, syscall.SIGCONT} {
		p.signal(p.pid(), s)
		p.signal(workers[0], s)
	}
	until(t, 10*time.Second, "the signals are said", func() error {
		if !p.logged("nothing to reload", "hangup") || !p.logged("without a meaning", "user defined signal 2") {
			return errors.New("they are not")
		}
		return nil
	})
	tr.settled(time.Minute)
	until(t, 30*time.Second, "redis holds only epochs and clocks", redis.empty)
	tr.unread()
	tr.account()
	if n := tr.ledger.Balance(0).Of(ledger.Repeated).Count; n > 0 || p.said("failed") > 0 {
		t.Errorf("%d spans are repeated, and a worker has failed %d times", n, p.said("failed"))
	}
	lintMetrics(t, p)

	redis.do(t, "CLIENT", "PAUSE", "5000", "ALL") // so that it takes a while to fence, and the input sees it
	p.signal(workers[0], syscall.SIGKILL)
	until(t, 20*time.Second, "the worker has a successor", func() error {
		if p.said("input resumed") == 0 {
			return errors.New("the input is not resumed")
		}
		return p.ready()
	})
	for range 2 {
		for partition := range int32(partitions) {
			tr.sendRaw(partition, 1)
		}
		hold(300 * time.Millisecond) // more than a batch waits
	}
	until(t, 10*time.Second, "all dead letters have come out", func() error {
		if n := tr.end(tr.letters); n != 2*partitions {
			return fmt.Errorf("%d have", n)
		}
		return nil
	})
	p.drain(20 * time.Second)
	var letters, more int
	for _, l := range p.lines() {
		switch {
		case l.Msg == "dead letters" && l.more:
			more++
		case l.Msg == "dead letters":
			letters++
		case l.Msg == "input paused" && !strings.Contains(l.text, `"partitions":[0,1,2,3,4,5,6,7]`):
			t.Errorf("said not of all partitions: %s", l.text)
		}
	}
	if letters != warningsMax || more == 0 {
		t.Errorf("%d lines of dead letters, and %d that say how many were left out, want %d and some", letters,
			more, warningsMax)
	}
	for _, message := range []string{"input paused", "input resumed"} {
		if n := p.said(message); n != 1 {
			t.Errorf("%q is said %d times, want once for all partitions", message, n)
		}
	}
	if n := p.said("gate closed"); n > 0 {
		t.Errorf("the gate is said to be closed %d times, beside the input that pauses", n)
	}
}

// lintMetrics does what promtool check metrics does.
func lintMetrics(t *testing.T, p *program) {
	t.Helper()
	code, text, err := p.get("/metrics")
	if err != nil || code != http.StatusOK || !strings.Contains(text, "sluice_kafka_") {
		t.Fatalf("/metrics: %d, %v:\n%s", code, err, text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
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

// Whoever reads the log stops to read, or goes away: the program does neither. It drops what is more than
// it keeps, and counts it.
func TestALogThatNobodyReads(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(reader *os.File) error{
		"it stops": func(*os.File) error { return nil },
		"it goes":  (*os.File).Close,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := oneRedis(t)
			tr := newTraffic(t, servertest.KafkaAddr(t), small)
			reader, writer := full(t)
			p := launch(t, func(c *exec.Cmd) {
				c.Stderr = writer
				for i := range 5 { // each is a line of the log, of more than 240 kB
					c.Env = append(c.Env, fmt.Sprintf("SLUICE_%d%s=", i, strings.Repeat("\x01", 40_000)))
				}
			}, append(append(tr.args(), "--redis", redis.addrs(), "--log-level", "debug"), options...)...)
			if err := harm(reader); err != nil {
				t.Fatal(err)
			}
			p.awaitReady()
			tr.send()
			tr.settled(time.Minute)
			until(t, 10*time.Second, "it is ready", p.ready) // a call that a machine stood still in is tried again
			if err := reach(p, "sluice_log_lines_dropped_total", 1); err != nil {
				t.Error(err)
			}
			until(t, 30*time.Second, "redis holds only epochs and clocks", redis.empty)
			p.signal(p.pid(), syscall.SIGTERM)
			p.ends(0)
			tr.unread()
			tr.account()
			if n := tr.ledger.Balance(0).Of(ledger.Repeated).Count; n > 0 {
				t.Errorf("%d spans are repeated", n)
			}
		})
	}
}

// Settings that cannot be meant end the program with code 2, in the words of its flags, while the servers
// that it would use are there.
func TestSettingsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	servers := []string{"--redis", redis.addrs(), "--kafka", servertest.KafkaAddr(t)}
	for _, c := range []struct {
		args []string
		want string
	}{
		{append(servers, "--timeout", "0"), `run: --timeout: "0" is no time to wait`},
		{append(servers, "--max-unhealthy", "0"), `run: --max-unhealthy: "0" is no time to wait`},
		{[]string{"--embedded", "--redis", redis.addrs()}, "run: --embedded brings its own servers, so that --redis"},
		{append(servers, "--embedded"), "run: --embedded brings its own servers, so that --redis"},
	} {
		p := launch(t, nil, c.args...)
		p.ends(2)
		first, rest, _ := strings.Cut(p.log.String(), "\n")
		if !strings.HasPrefix(first, c.want) || rest != "run: see run --help for all flags\n" {
			t.Errorf("%v: it says %q, want %q and where to read more", c.args, p.log.String(), c.want)
		}
	}
}
