package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// samples returns the values of a metric, of those samples that have all the labels, as worker="1".
// There are none while the program does not answer.
func (p *program) samples(metric string, labels ...string) (values []float64) {
	p.t.Helper()
	_, body, err := p.get("/metrics")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(body) {
		at := strings.LastIndexByte(line, ' ')
		name, of, _ := strings.Cut(line[:max(at, 0)], "{")
		if name != metric || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(of, l) }) {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			p.t.Errorf("in the metrics: %s", line)
		}
		values = append(values, v)
	}
	return values
}

func sum(values []float64) (of float64) {
	for _, v := range values {
		of += v
	}
	return of
}

// is checks a metric without labels.
func is(p *program, metric string, want int) error {
	p.t.Helper()
	if got := p.samples(metric); len(got) != 1 || got[0] != float64(want) {
		return fmt.Errorf("%s is %v, want %d", metric, got, want)
	}
	return nil
}

// reach checks that the sum of a metric is at least so much.
func reach(p *program, metric string, least float64, labels ...string) error {
	p.t.Helper()
	if got := p.samples(metric, labels...); sum(got) < least {
		return fmt.Errorf("%s%v is %v, want %v in all", metric, labels, got, least)
	}
	return nil
}

// lies checks that the least of the values of a gauge lies between two durations.
func lies(p *program, metric string, from, to time.Duration) error {
	p.t.Helper()
	got := p.samples(metric)
	if len(got) == 0 || slices.Min(got) < from.Seconds() || slices.Min(got) > to.Seconds() {
		return fmt.Errorf("%s is %v, want its least to be %v to %v", metric, got, from.Seconds(), to.Seconds())
	}
	return nil
}
