package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/internal/yamlfile"
)

var namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate returns yamlfile.Problems with every value that is beyond its limits, and with everything
// that cannot happen together, or nil. It changes nothing. What may happen by something beside the
// scenario, such as a defect or a fault at a port, is right: see Around.
func (s Scenario) Validate() error { return Around{Restarts: true}.Validate(s) }

// Around is what is known of a run beside its scenario.
type Around struct {
	// Can returns why the world cannot do a fault, in words. Nil: it can do any.
	Can func(Fault) error
	// Restarts is true if something else may end workers: a defect, a fault at a port.
	Restarts bool
}

// Validate is that of a scenario for a run of which so much is known: what it says nothing against can be
// run from its file.
func (a Around) Validate(s Scenario) error {
	s.resolve() // of one that was made by hand
	return a.check(&s, nil, nil).Err()
}

// check returns everything that is wrong with a scenario, as far as it could be read.
func (a Around) check(s *Scenario, places yamlfile.Places, unread []string) yamlfile.Problems {
	c := &checker{places: places, unread: unread}
	s.checkForms(c)
	for i := range keys {
		if k := &keys[i]; k.low != nil {
			k.bound(c, s.at(k.Path))
		}
	}
	for _, problem := range c.problems {
		c.unread = append(c.unread, problem.Path) // what it follows from is not right
	}
	a.Restarts = a.Restarts || len(s.PortFaults) > 0
	p := &possible{checker: c, Scenario: s, around: a}
	p.checkTopology()
	p.checkLoad()
	p.checkDrain()
	p.checkFaults()
	p.checkPortFaults()
	p.checkExpectations()
	return c.problems
}

// checker collects problems. Nothing is said of a key whose value is not known, and nothing that
// would follow from it.
type checker struct {
	problems yamlfile.Problems
	places   yamlfile.Places
	unread   []string
}

// firstOf returns the first of some keys that was written, or else the first: where one is to blame
// that was left out, a user finds the place.
func (c *checker) firstOf(paths ...string) string {
	for _, path := range paths {
		if _, ok := c.places[path]; ok {
			return path
		}
	}
	return paths[0]
}

func (c *checker) expect(ok bool, path, format string, args ...any) {
	if !ok && c.knows(path) {
		c.problems = append(c.problems, yamlfile.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// knows tells whether the values of keys can be relied on.
func (c *checker) knows(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool {
		return slices.ContainsFunc(c.unread, func(key string) bool { return related(key, path) })
	})
}

// said tells whether there is a problem with a key already.
func (c *checker) said(path string) bool {
	return slices.ContainsFunc(c.problems, func(p yamlfile.Problem) bool { return p.Path == path })
}

// related tells whether two keys are the same, or one holds the other; "" holds all.
func related(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == b || a == "" || strings.HasPrefix(b, a) && strings.ContainsRune(".[", rune(b[len(a)]))
}

// checkForms checks what has more than two bounds.
func (s *Scenario) checkForms(c *checker) {
	c.expect(s.Name != "", "name", "a name is missing, such as my-run: it is %s", "what the run, its "+
		"directory and its topics are called")
	c.expect(s.Name == "" || namePattern.MatchString(s.Name) && len(s.Name) <= nameMax, "name",
		"%q must be 1 to %d lower-case letters, digits and single dashes, since topics are called "+
			"after it", shortened(s.Name), nameMax)
	t, w := s.Topology, s.Workload
	c.expect(t.FlusherMode == ModeProcess || t.FlusherMode == ModeGoroutine, "topology.flusher_mode",
		"mode %q must be %s or %s", t.FlusherMode, ModeProcess, ModeGoroutine)
	if err := w.Rate.check(); err != nil {
		c.expect(false, "workload.rate", "%v", err)
	}
	c.expect(w.SpansPerTrace.High <= sizeMax, "workload.spans_per_trace",
		"a trace has 1 to %d spans, not %d", sizeMax, w.SpansPerTrace.High)
	bytes := w.SpanBytes
	least := bytes.Low
	if bytes.Kind == SpreadGeometric {
		least = bytes.High // what is drawn smaller is filled up
	}
	c.expect(least >= spanBytesMin && bytes.High <= spanBytesMax, "workload.span_bytes",
		"a span's message takes %d to %d bytes, and not %v: less holds no span, and Kafka takes no more",
		spanBytesMin, spanBytesMax, bytes)
	c.expect(w.Late.Share >= 0 && w.Late.Share <= 1, "workload.late", "%v must be a share from 0 to 1",
		w.Late.Share)
}

// shortened cuts off a text that would fill the screen.
func shortened(text string) string {
	const most = 60
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// CheckFaults asks of every fault whether a world can do it; can returns why not, in words. The
// error is yamlfile.Problems that name the faults; yamlfile.Places.Of adds where they stand.
func (s Scenario) CheckFaults(can func(Fault) error) error {
	p := &possible{checker: &checker{}, Scenario: &s, around: Around{Can: can}}
	p.checkWorld()
	return p.problems.Err()
}
