package explore

import (
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/defects"
)

// TestWhatADefectRemembers of a child is a part of its supervisor's state.
func TestWhatADefectRemembers(t *testing.T) {
	careless, err := defects.Find("kill-skipped")
	if err != nil {
		t.Fatal(err)
	}
	l := newLife(supervising{newSystem(small("supervisor", 1, 1, 1, 1).Size, careless)})
	defer l.close()
	epoch := buffer.Epoch(0)
	for started := false; !started; {
		at := -1
		var a answer
		for i, c := range l.calls {
			switch op := c.op.(type) {
			case fence:
				epoch++
				at, a.Value = i, buffer.Fenced{Owner: buffer.Owner{Shard: op.Shard, Epoch: epoch}}
			case spawn:
				at, started = i, true
			}
		}
		if at < 0 {
			t.Fatalf("neither fences nor starts a worker: %+v", l.calls)
		}
		l.resume(at, a, nil)
	}
	digest := func() uint64 {
		m, _ := l.program.memory(l)
		return renaming{0}.digest(m)
	}
	before := digest()
	for _, p := range l.planted {
		if h, ok := p.(*handles); ok {
			h.Started[child{0, 1}].Kill()
		}
	}
	if digest() == before {
		t.Error("a kill that it keeps to itself changes nothing")
	}
}

// TestDigest tells a time that is set from one that is not, and comes to an end.
func TestDigest(t *testing.T) {
	type ring struct {
		At   time.Time
		Next *ring
	}
	circle := func(at time.Time) *ring {
		a, b := &ring{}, &ring{At: at}
		a.Next, b.Next = b, a
		return a
	}
	same := renaming{0}
	if same.digest(circle(epoch)) != same.digest(circle(epoch.Add(1))) {
		t.Error("when it was makes a difference")
	}
	if same.digest(circle(epoch)) == same.digest(circle(time.Time{})) {
		t.Error("whether it was makes none")
	}
}
