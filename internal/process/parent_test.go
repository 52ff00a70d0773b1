package process

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"
)

// TestASlowParentBlocksNobody: a pipe that nobody reads must block nobody, and must bring all that
// waited, in order, with the last word at the end, once it is read.
func TestASlowParentBlocksNobody(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := newParent[int](w, Rhythm{Farewell: time.Minute}, nil)
	var mu sync.Mutex
	var waiting []int
	collects := 0
	p.Report(func() []int {
		mu.Lock()
		defer mu.Unlock()
		news := waiting
		waiting = nil
		collects++
		return news
	})
	const reports = 200_000 // many times what the pipe holds
	for i := range reports {
		mu.Lock()
		waiting = append(waiting, i)
		mu.Unlock()
		p.Ring()
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.close(errors.New("last"))
		_ = w.Close()
	}()
	next := 0
	var last line[int]
	for dec := json.NewDecoder(r); ; next++ {
		var l line[int]
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if last = l; l.Report == nil {
			continue
		}
		if *l.Report != next {
			t.Fatalf("report %d, want %d", *l.Report, next)
		}
	}
	<-closed
	if next != reports+1 || last.LastWord != "last" {
		t.Errorf("%d lines, want %d reports and the last word; it is %q", next, reports, last.LastWord)
	}
	if collects > reports/10 {
		t.Errorf("a parent that did not read was written to %d times", collects)
	}
}

// TestFarewellIsBounded: a child ends though its parent never reads.
func TestFarewellIsBounded(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := newParent[[]byte](w, Rhythm{Farewell: time.Millisecond}, nil)
	p.Report(func() [][]byte { return [][]byte{make([]byte, 1<<20)} }) // more than a pipe holds
	p.Ring()
	p.close(errors.New("last"))
}

// TestRhythm: without news a parent hears the beat, and nothing without one.
func TestRhythm(t *testing.T) {
	for _, beat := range []time.Duration{0, time.Millisecond} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := newParent[int](w, Rhythm{Beat: beat, Farewell: time.Second}, nil)
		collects, thrice := 0, make(chan struct{})
		p.Report(func() []int {
			if collects++; collects == 3 {
				close(thrice)
			}
			return nil
		})
		if beat > 0 {
			<-thrice
		}
		p.close(nil)
		if want := 1; beat == 0 && collects != want {
			t.Errorf("asked %d times without beat or news, want once, at the end", collects)
		}
		_ = w.Close()
		if text, err := io.ReadAll(r); err != nil || len(text) != 0 {
			t.Errorf("%q was written of no news, %v", text, err)
		}
	}
}
