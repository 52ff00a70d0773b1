package consumer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sluice/internal/pipeline"
)

// asHarness makes this test binary the program of the four-level test: test, harness, consumer,
// workers. Its value is the mark. (It cannot be the mark itself, which the harness does not have.)
const asHarness = "SLUICE_CONSUMER_TEST_HARNESS"

// harnessMain is the second level: it reads a config, starts a consumer, says so, and waits to be
// killed. When its stdin ends the test is gone.
func harnessMain() {
	in := bufio.NewReader(os.Stdin)
	text, err := in.ReadString('\n')
	if err == nil {
		err = harness(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("started")
	_, _ = io.Copy(io.Discard, in)
	os.Exit(0)
}

func harness(config string) error {
	c, err := pipeline.Decode([]byte(config))
	if err != nil {
		return err
	}
	_, err = Start(context.Background(), Config{Pipeline: c, Mark: os.Getenv(asHarness)})
	return err
}

// TestNothingSurvivesKillOfTheHarness kills the harness with SIGKILL and expects every process of
// its run to end, by the mark.
func TestNothingSurvivesKillOfTheHarness(t *testing.T) {
	mark := fmt.Sprintf("CONSUMER_TEST=orphan-%d", os.Getpid())
	text, err := config(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asHarness+"="+mark)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := stdin.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil ||
		!strings.Contains(line, "started") {
		t.Fatalf("the harness says %q, %v", line, err)
	}
	eventually(t, "consumer and workers run", func() bool { return marked(t, mark) == 3 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are gone", func() bool { return marked(t, mark) == 0 })
}
