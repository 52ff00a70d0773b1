package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// line is a line of the log.
type line struct {
	Time       time.Time `json:"time"`
	Level, Msg string
	Worker     *int
	Client     string
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

// warningsOfACause is how often one worker, client, or the program may say one thing of one outage: when it
// begins, and once more when what came back is not yet well.
const warningsOfACause = 2

// warnedOnce checks that an outage was a few warnings, and no error.
func (p *program) warnedOnce(since time.Time) {
	p.t.Helper()
	said := make(map[string]int)
	for _, l := range p.lines() {
		if l.Time.Before(since) {
			continue
		}
		switch l.Level {
		case "ERROR":
			p.t.Errorf("an outage alone is no error: %s", l.text)
		case "WARN":
			who := l.Msg + " " + l.Client
			if l.Worker != nil {
				who += fmt.Sprintf(" of worker %d", *l.Worker)
			}
			if said[who]++; said[who] == warningsOfACause+1 {
				p.t.Errorf("for one cause it says more than %d times: %s", warningsOfACause, who)
			}
		}
	}
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
