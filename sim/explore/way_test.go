package explore

import (
	"slices"
	"strings"
	"testing"

	"sluice/reports"
)

// TestStory: at each step the choice that was taken is one of those that were open, what changed is
// named, and a span can be followed to where it is lost.
func TestStory(t *testing.T) {
	cfg := DefaultConfig("protocol")
	cfg.Defect = "ack-first"
	r := run(t, cfg)
	story := r.Story()
	if n := len(story.Moments); n != len(r.Steps())+1 || n < 10 {
		t.Fatalf("%d moments of %d steps", n, len(r.Steps()))
	}
	others := 0
	for i, m := range story.Moments {
		if i == 0 {
			continue
		}
		if m.Taken < 0 || !strings.HasPrefix(m.Text, m.Open[m.Taken]) {
			t.Errorf("step %d, %q, takes %d of %q", i, m.Text, m.Taken, m.Open)
		}
		others += len(m.Open) - 1
	}
	if others < len(story.Moments) {
		t.Errorf("on a way of %d steps only %d other choices were open", len(story.Moments), others)
	}
	last := story.Moments[len(story.Moments)-1]
	if !last.Bad || !strings.Contains(last.Text, "lost: a0") {
		t.Errorf("the last step is %+v", last)
	}
	span := slices.IndexFunc(last.Changed, func(c reports.StoryChange) bool { return c.What == "span a0" })
	if span < 0 || last.Changed[span].Before != "on its way to kafka" || last.Changed[span].After != "nowhere" {
		t.Errorf("with the last step changes %+v", last.Changed)
	}
	lane := story.Lanes[slices.IndexFunc(story.Lanes, func(l reports.StoryLane) bool { return l.Name == "span a0" })]
	if len(lane.Bars) != len(story.Moments) || lane.Bars[0].Text != "in the input, not committed" {
		t.Errorf("the span's lane is %+v", lane)
	}
	if again := run(t, cfg).Story(); len(again.Moments) != len(story.Moments) ||
		!slices.Equal(again.Moments[5].Open, story.Moments[5].Open) {
		t.Error("the same search tells another story")
	}
	cfg.Defect = ""
	cfg.StatesMax = 50
	if story := run(t, cfg).Story(); story != nil {
		t.Errorf("nothing is wrong, and yet there is a story: %+v", story)
	}
}

// TestStoryOfSupervisor names both owners.
func TestStoryOfSupervisor(t *testing.T) {
	cfg := DefaultConfig("supervisor")
	cfg.Defect = "kill-skipped"
	last := run(t, cfg).Way
	var text []string
	for _, part := range last[len(last)-1].State {
		text = append(text, part.Name+": "+part.Value)
	}
	for _, want := range []string{"worker 0, start 1: up", "worker 0, start 2: starting",
		"shard 0: worker 0, start 1 and worker 0, start 2; epoch 4", "faults left: 0"} {
		if !slices.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
}
