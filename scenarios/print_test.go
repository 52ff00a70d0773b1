package scenarios

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestBriefIsTheSame: what is left out is read back as it was, of every scenario there is.
func TestBriefIsTheSame(t *testing.T) {
	for _, name := range append(List(), Museum()...) {
		s, _, err := LoadWith(name, os.ReadFile, "expectations.figures=[pauses >= 1]")
		if err != nil {
			t.Fatal(err)
		}
		brief := s.Brief()
		back, err := Read(name, []byte(brief))
		if err != nil || back.String() != s.String() {
			t.Errorf("%s: %v\n%s", name, err, brief)
		}
		if strings.Contains(brief, "flusher_mode") || strings.Contains(brief, fmt.Sprintf("\nseed: %d\n", Default().Seed)) {
			t.Errorf("%s: a default is left\n%s", name, brief)
		}
	}
}

// TestPortFaultsAreOfTheScenario: they are read, printed and told apart as its faults are, and what they
// repeat needs no expectation of its own.
func TestPortFaultsAreOfTheScenario(t *testing.T) {
	const text = "name: ports\nport_faults:\n  - lose store.ack every 10\n  - slow store.load 3..5 by 50ms\n"
	s, err := Read("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if s.PortFaults.String() != "lose store.ack every 10, slow store.load 3..5 by 50ms" ||
		s.Expectations.RepeatedSpansMax != Unlimited {
		t.Errorf("%v, and %v spans may be repeated", s.PortFaults, s.Expectations.RepeatedSpansMax)
	}
	for _, printed := range []string{s.String(), s.Brief()} {
		if back, err := Read("x", []byte(printed)); err != nil || back.String() != s.String() {
			t.Errorf("%v: read back otherwise:\n%s", err, printed)
		}
	}
	if brief := s.Brief(); !strings.HasPrefix(brief, text) {
		t.Errorf("%s\nis not\n%s", brief, text)
	}
	without := s
	without.PortFaults = s.PortFaults[:1]
	if got := Differences(s, without); len(got) != 1 || got[0].Key != "port_faults" {
		t.Errorf("%+v", got)
	}
}
