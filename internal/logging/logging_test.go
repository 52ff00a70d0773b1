package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/syncbuf"
)

// A reader that reads nothing does not stop the program; once it reads again, what waited comes, and
// what was dropped was counted.
func TestAReaderThatStopsStopsNothing(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := NewOutput(w)
	line := strings.Repeat("x", 1023) + "\n"
	const lines = 5 * outputBytesMax / 1024
	for range lines {
		if _, err := fmt.Fprint(o, line); err != nil {
			t.Fatal(err)
		}
	}
	dropped := o.Dropped()
	if dropped == 0 || dropped >= lines {
		t.Fatalf("dropped %d of %d lines, want some", dropped, lines)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		o.Close(time.Minute)
		w.Close()
	}()
	var read syncbuf.Buffer
	if _, err := r.WriteTo(&read); err != nil {
		t.Fatal(err)
	}
	<-closed
	if got := strings.Count(read.String(), "\n"); uint64(got)+dropped != lines {
		t.Errorf("%d lines came out and %d were dropped, of %d", got, dropped, lines)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// What cannot be written is counted, too.
func TestAReaderThatIsGone(t *testing.T) {
	o := NewOutput(broken{})
	for range 3 {
		fmt.Fprintln(o, "line")
	}
	o.Close(time.Minute)
	fmt.Fprintln(o, "late")
	if n := o.Dropped(); n != 4 {
		t.Errorf("%d are dropped, want 4", n)
	}
}

func TestRepeatsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text syncbuf.Buffer
		read := 0
		news := func() string {
			all := text.String()
			defer func() { read = len(all) }()
			return all[read:]
		}
		limit := NewLimit(slog.NewTextHandler(&text, Options(slog.LevelInfo)))
		log := slog.New(limit)
		worker := log.With("worker", 1)
		for i := range 20 {
			worker.Warn("it fails", "attempt", i)
			log.Warn("it fails", "attempt", i)
		}
		log.Warn("another")
		log.Info("it fails")
		log.Debug("not at all")
		if got := news(); strings.Count(got, "\n") != warningsMax+2 {
			t.Errorf("want %d lines:\n%s", warningsMax+2, got)
		}
		time.Sleep(repeatsIn)
		synctest.Wait()
		if got := news(); !strings.HasSuffix(got,
			" level=WARN msg=\"it fails\" more_of_these=35 within=10s\n") || strings.Count(got, "\n") != 1 {
			t.Errorf("after its time:\n%s", got)
		}
		log.Warn("it fails")
		if got := news(); strings.Count(got, "\n") != 1 {
			t.Errorf("a new time begins with\n%s", got)
		}
		for range warningsMax {
			log.Warn("it fails")
		}
		news()
		limit.Flush()
		limit.Flush()
		if got := news(); strings.Count(got, "more_of_these=1") != 1 || strings.Count(got, "\n") != 1 {
			t.Errorf("at the end:\n%s", got)
		}
		time.Sleep(repeatsIn) // its timer ends within the bubble
		if got := news(); got != "" {
			t.Errorf("what was said at the end is said again:\n%s", got)
		}
	})
}
