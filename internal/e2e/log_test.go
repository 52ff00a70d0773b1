package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// line is a line of the log.
type line struct {
	Time       time.Time `json:"time"`
	Level, Msg string
	more       bool // it says how many were left out
	text       string
}

// lines returns the log, in the order in which it was written.
func (p *program) lines() []line {
	p.t.Helper()
	var all []line
	for text := range strings.Lines(p.log.String()) {
		l := line{text: strings.TrimSpace(text)}
		if err := json.Unmarshal([]byte(text), &l); err != nil || l.Msg == "" || l.Level == "" {
			p.t.Errorf("a line of the log is no record (%v): %s", err, text)
			continue
		}
		l.more = strings.Contains(text, `"more_of_these":`)
		all = append(all, l)
	}
	return all
}

// said counts the lines with a message.
func (p *program) said(message string) (n int) {
	for _, l := range p.lines() {
		if l.Msg == message {
			n++
		}
	}
	return n
}

// warnings counts the lines that are warnings or worse.
func (p *program) warnings() (n int) {
	for _, l := range p.lines() {
		if l.Level == "WARN" || l.Level == "ERROR" {
			n++
		}
	}
	return n
}

// What the docs say of how much is written of each kind.
const (
	warningsMax = 5
	othersMax   = 30
	repeatsIn   = 10 * time.Second
)

// checkLog checks what holds of every log, at the end of a program: each line is a record, the end is
// said once, durations are in words, and no kind of line comes more often than it may.
func (p *program) checkLog() {
	p.t.Helper()
	if n := p.said("ended"); n != 1 {
		p.t.Errorf("the end is said %d times, want once", n)
	}
	type kind struct{ level, message string }
	written := make(map[kind][]time.Time)
	for _, l := range p.lines() {
		if !l.more {
			k := kind{l.Level, l.Msg}
			written[k] = append(written[k], l.Time)
		}
		var attrs map[string]any
		if err := json.Unmarshal([]byte(l.text), &attrs); err != nil {
			p.t.Fatal(err)
		}
		for name, value := range attrs {
			// In nanoseconds a tenth of a second is that much; nothing else here is.
			if n, is := value.(float64); is && n >= 1e8 {
				p.t.Errorf("%s is a duration without a unit: %s", name, l.text)
			}
		}
	}
	for k, times := range written {
		most := othersMax
		if k.level == "WARN" {
			most = warningsMax
		}
		slices.SortFunc(times, time.Time.Compare)
		for i := range times { // the time of a kind begins anew after each repeatsIn
			if last := i + 2*most; last < len(times) && times[last].Sub(times[i]) < repeatsIn {
				p.t.Errorf("%d of %v within %v", 2*most+1, k, times[last].Sub(times[i]))
				break
			}
		}
	}
}
