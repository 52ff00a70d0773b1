package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/options"
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
	if !slices.Contains(choices, got) {
		w.err = fmt.Errorf("unknown %s %q%s", what, got, options.Hint(got, choices))
		return ""
	}
	return got
}

// read reads the next word with parse; what says what was expected there.
func read[T any](w *words, what string, parse func(string) (T, error)) (value T) {
	if text := w.next(what); w.err == nil {
		value, w.err = parse(text)
	}
	return value
}

func (w *words) rate() PerSecond { return read(w, "a rate such as 2000/s", parsePerSecond) }

func (w *words) duration() time.Duration {
	return read(w, "a duration such as 5s", options.ParseDuration)
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
