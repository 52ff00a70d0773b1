package portfault

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/options"
)

// Form is a form in which faults are written, and Means what they do.
type Form struct{ Form, Means string }

// Forms are all forms; PORT, CALLS and DURATION stand for what Words explains.
func Forms() []Form {
	return []Form{
		{"refuse PORT [CALLS]", "The calls fail without any effect; a poll finds nothing."},
		{"lose PORT [CALLS]", "The calls have their effect, but fail: their answers are lost."},
		{"slow PORT [CALLS] by DURATION", "The calls begin later."},
		{"crash before PORT [CALLS]", "The process is killed instead of making the call."},
		{"crash after PORT [CALLS]", "The process is killed when the call has had its effect."},
	}
}

// Words says what PORT and CALLS stand for.
func Words() string {
	return "PORT is one of " + strings.Join(words(ports), ", ") + ". CALLS is a number, a range " +
		"such as 3..5, every N, or all; each process counts its calls of each port from 1. Numbers " +
		"and ranges are those of the first process of a worker or consumer. The answers of source.poll " +
		"and spawner.start cannot be lost, and spawner.stop and spawner.kill can only be slow: a worker " +
		"hears of them later."
}

func words[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, word := range list {
		texts[i] = string(word)
	}
	return texts
}

// Parse reads faults, separated by commas or line ends. List.String is its inverse.
func Parse(text string) (List, error) {
	var list List
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if strings.TrimSpace(part) == "" {
			continue
		}
		var f Fault
		if err := f.UnmarshalText([]byte(part)); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// MarshalText returns the text of String.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads one fault.
func (f *Fault) UnmarshalText(text []byte) error {
	w := phrase(strings.Fields(string(text)))
	parsed, err := w.fault()
	if err != nil {
		return fmt.Errorf("port fault %q: %w", strings.TrimSpace(string(text)), err)
	}
	*f = parsed
	return nil
}

// phrase is the words of a fault that are not read yet.
type phrase []string

// next takes a word; empty at the end.
func (p *phrase) next() string {
	if len(*p) == 0 {
		return ""
	}
	word := (*p)[0]
	*p = (*p)[1:]
	return word
}

func (p *phrase) fault() (f Fault, err error) {
	if f.Kind, err = p.kind(); err != nil {
		return f, err
	}
	f.Port = Port(p.next())
	switch {
	case f.Port == "":
		return f, fmt.Errorf("write the port, too, such as %s %s", f.Kind, StoreAck)
	case !slices.Contains(ports, f.Port):
		return f, fmt.Errorf("unknown port %q%s", f.Port, options.Hint(string(f.Port), words(ports)))
	case f.Port.Never(f.Kind) != "":
		return f, errors.New(f.Port.Never(f.Kind))
	}
	if f.Calls, err = p.calls(); err != nil {
		return f, err
	}
	if f.Kind == Slow {
		if p.next() != "by" {
			return f, fmt.Errorf("write how much later calls begin, such as %s %s by 50ms", Slow, f.Port)
		}
		if f.By, err = options.ParseDuration(p.next()); err != nil {
			return f, err
		}
		if f.By == 0 {
			return f, fmt.Errorf("calls that begin 0s later are not slow: write 1ms or more")
		}
	}
	if len(*p) > 0 {
		return f, fmt.Errorf("%q is too much: write %q", strings.Join(*p, " "), f)
	}
	return f, nil
}

func (p *phrase) kind() (Kind, error) {
	verbs := []string{string(Refuse), string(Lose), string(Slow), "crash"}
	switch verb := p.next(); {
	case !slices.Contains(verbs, verb):
		return "", fmt.Errorf("unknown verb %q%s", verb, options.Hint(verb, verbs))
	case verb != "crash":
		return Kind(verb), nil
	}
	switch moment := Kind("crash " + p.next()); moment {
	case CrashBefore, CrashAfter:
		return moment, nil
	}
	return "", fmt.Errorf("write %s or %s, and the port", CrashBefore, CrashAfter)
}

// calls reads which calls are meant; nothing means all.
func (p *phrase) calls() (c Calls, err error) {
	count := options.Count(1)
	if len(*p) == 0 || (*p)[0] == "by" {
		return c, nil
	}
	switch word := p.next(); word {
	case "all":
	case "every":
		if c.Every, err = count(p.next()); err != nil {
			err = fmt.Errorf("%w, as in every 10", err)
		}
	default:
		first, last, isRange := strings.Cut(word, "..")
		if c.From, err = count(first); err != nil {
			return c, fmt.Errorf("%w; or a range such as 3..5, every 10, or all", err)
		}
		c.To = c.From
		if isRange {
			c.To, err = count(last)
		}
		if err == nil && c.To < c.From {
			err = fmt.Errorf("calls %s end before they begin: write %d..%d", word, c.To, c.From)
		}
	}
	return c, err
}
