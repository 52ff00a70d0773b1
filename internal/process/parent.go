package process

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"time"
)

// Parent is a child's way to its parent. Its methods never block: a parent that does not read must
// not stop its children.
type Parent[R any] struct {
	// Log is passed on to the parent's.
	Log *slog.Logger

	rhythm  Rhythm
	pipe    *os.File
	collect func() []R    // nil: there are no reports yet
	news    chan struct{} // holds one: there is something to send
	end     chan struct{}
	done    chan struct{}
}

func newParent[R any](pipe *os.File, rhythm Rhythm, log *slog.Logger) *Parent[R] {
	return &Parent[R]{
		Log:    log,
		rhythm: rhythm,
		pipe:   pipe,
		news:   make(chan struct{}, 1),
		end:    make(chan struct{}),
		done:   make(chan struct{}),
	}
}

// Report has collect asked for what is to be sent, by a goroutine of its own, in the role's rhythm
// and once more at the end. It is called once, by the role's Run. A parent that is slow to read is
// asked for less often; what waits meanwhile is collect's to bound.
func (p *Parent[R]) Report(collect func() []R) {
	p.collect = collect
	go p.sendReports()
}

// Ring says that there is something to collect.
func (p *Parent[R]) Ring() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *Parent[R]) sendReports() {
	defer close(p.done)
	var beat <-chan time.Time
	if p.rhythm.Beat > 0 {
		ticker := time.NewTicker(p.rhythm.Beat)
		defer ticker.Stop()
		beat = ticker.C
	}
	for ended := false; !ended; {
		select {
		case <-p.end:
			ended = true
		case <-p.news:
		case <-beat:
		}
		p.send()
		if p.rhythm.Pause > 0 && !ended {
			select {
			case <-p.end:
			case <-time.After(p.rhythm.Pause):
			}
		}
	}
}

// send writes what is new, if anything.
func (p *Parent[R]) send() {
	reports := p.collect()
	lines := make([]line[R], len(reports))
	for i := range reports {
		lines[i].Report = &reports[i]
	}
	p.write(lines...)
}

// write writes lines at once. A parent that cannot be written to is gone, and the end of stdin says
// so too.
func (p *Parent[R]) write(lines ...line[R]) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, l := range lines {
		if err := encoder.Encode(l); err != nil {
			panic("process: a report cannot be encoded: " + err.Error())
		}
	}
	if text.Len() > 0 {
		_, _ = p.pipe.Write(text.Bytes())
	}
}

// close sends what is left, and the last word if there is one.
func (p *Parent[R]) close(err error) {
	// Set from here, in case a write to a parent that does not read is under way. A pipe that cannot
	// do that must not keep the child.
	_ = p.pipe.SetWriteDeadline(time.Now().Add(p.rhythm.Farewell))
	if p.collect != nil {
		close(p.end)
		<-p.done
	}
	if err != nil {
		p.write(line[R]{LastWord: err.Error()})
	}
}
