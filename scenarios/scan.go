package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// words reads a one-line form word by word. After the first fault the rest reads as zero.
type words struct {
	list []string
	at   int
	err  error
}

func (w *words) more() bool { return w.err == nil && w.at < len(w.list) }

// next returns the next word; what says what was expected there.
func (w *words) next(what string) string {
	if w.err != nil {
		return ""
	}
	if w.at == len(w.list) {
		if w.at == 0 {
			w.err = fmt.Errorf("%s is missing", what)
		} else {
			w.err = fmt.Errorf("%s is missing after %q", what, w.list[w.at-1])
		}
		return ""
	}
	w.at++
	return w.list[w.at-1]
}

func (w *words) peek() string {
	if w.more() {
		return w.list[w.at]
	}
	return ""
}

func (w *words) literal(word string) {
	if got := w.next(strconv.Quote(word)); w.err == nil && got != word {
		w.err = fmt.Errorf("%q stands where %q belongs", got, word)
	}
}

func (w *words) choice(what string, choices ...string) string {
	got := w.next(what)
	if w.err != nil {
		return ""
	}
	for _, c := range choices {
		if got == c {
			return got
		}
	}
	w.err = fmt.Errorf("unknown %s %q%s", what, got, hint(got, choices))
	return ""
}

func (w *words) rate() PerSecond {
	text := w.next("a rate such as 2000/s")
	if w.err != nil {
		return 0
	}
	var r PerSecond
	r, w.err = parsePerSecond(text)
	return r
}

func (w *words) duration() time.Duration {
	text := w.next("a duration such as 5s")
	if w.err != nil {
		return 0
	}
	var d time.Duration
	d, w.err = parseDuration(text)
	if w.err == nil && d < 0 {
		w.err = fmt.Errorf("duration %q is negative", text)
	}
	return d
}

func (w *words) number(what string) int64 {
	text := w.next(what)
	if w.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		w.err = fmt.Errorf("%q is not %s", text, what)
	}
	return n
}

func (w *words) end() {
	if w.more() {
		w.err = fmt.Errorf("%q is left over", strings.Join(w.list[w.at:], " "))
	}
}
