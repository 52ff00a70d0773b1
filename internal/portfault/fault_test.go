package portfault

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kinds are all of them.
var kinds = []Kind{Refuse, Lose, Slow, CrashBefore, CrashAfter}

// every returns all faults of a port with calls of each form.
func every(port Port) (list List) {
	for _, kind := range kinds {
		for _, calls := range []Calls{{}, {From: 3, To: 3}, {From: 3, To: 5}, {Every: 10}} {
			f := Fault{Kind: kind, Port: port, Calls: calls}
			if kind == Slow {
				f.By = 1500 * time.Millisecond
			}
			if port.Never(kind) == "" {
				list = append(list, f)
			}
		}
	}
	return list
}

// TestTextParsesBack holds for every form of a fault, alone, in a list, and as JSON.
func TestTextParsesBack(t *testing.T) {
	var all List
	for _, port := range ports {
		all = append(all, every(port)...)
	}
	for _, f := range all {
		if back, err := Parse(f.String()); err != nil || len(back) != 1 || back[0] != f {
			t.Errorf("%v is read back as %v, %v", f, back, err)
		}
	}
	for _, text := range []string{all.String(), strings.ReplaceAll(all.String(), ", ", "\n")} {
		if back, err := Parse(text); err != nil || !slices.Equal(back, all) {
			t.Errorf("the list is read back otherwise: %v\n%s", err, cmp.Diff(all, back))
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var back List
	if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back, all) {
		t.Errorf("JSON is read back otherwise: %v\n%s", err, cmp.Diff(all, back))
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want List
	}{
		{"", nil},
		{" , \n", nil},
		{"refuse store.ack 3..5", List{{Refuse, StoreAck, Calls{From: 3, To: 5}, 0}}},
		{"lose store.attach every 10", List{{Lose, StoreAttach, Calls{Every: 10}, 0}}},
		{"lose store.attach all", List{{Lose, StoreAttach, Calls{}, 0}}},
		{"slow producer.produce by 50ms", List{{Slow, Produce, Calls{}, 50 * time.Millisecond}}},
		{"slow source.poll 1..9 by 1m", List{{Slow, SourcePoll, Calls{From: 1, To: 9}, time.Minute}}},
		{"  crash  before store.ack\t2\n", List{{CrashBefore, StoreAck, Calls{From: 2, To: 2}, 0}}},
		{"crash after store.release 1,refuse source.commit", List{
			{CrashAfter, StoreRelease, Calls{From: 1, To: 1}, 0}, {Refuse, SourceCommit, Calls{}, 0},
		}},
	} {
		if list, err := Parse(c.text); err != nil || !slices.Equal(list, c.want) {
			t.Errorf("%q is %v, %v, want %v", c.text, list, err, c.want)
		}
	}
}

// TestParseSaysWhatWouldBeRight and names the fault of a list that is wrong.
func TestParseSaysWhatWouldBeRight(t *testing.T) {
	for text, want := range map[string]string{
		"refsue store.ack":            `unknown verb "refsue"; did you mean refuse?`,
		"refuse":                      "write the port, too, such as refuse store.ack",
		"lose store.akc every 10":     `unknown port "store.akc"; did you mean store.ack?`,
		"lose source.poll":            "write refuse source.poll",
		"lose spawner.start 2":        "write refuse spawner.start",
		"lose spawner.kill":           "write slow spawner.kill by 50ms",
		"refuse spawner.stop every 2": "write slow spawner.stop by 50ms",
		"crash store.ack 2":           "write crash before or crash after",
		"crash":                       "write crash before or crash after",
		"slow store.ack":              "such as slow store.ack by 50ms",
		"slow store.ack 50ms":         "or a range such as 3..5",
		"slow store.ack by 50":        "50ms for milliseconds",
		"slow store.ack by":           "is not a duration",
		"slow store.ack by 0s":        "write 1ms or more",
		"slow store.ack by -1s":       "is negative",
		"refuse store.ack 0":          `"0" is not a count: write 1 or more`,
		"refuse store.ack 5..3":       "write 3..5",
		"refuse store.ack 5..":        "is not a count",
		"refuse store.ack every":      "is not a count",
		"refuse store.ack every 0":    "is not a count",
		"refuse store.ack 3 4":        `"4" is too much: write "refuse store.ack 3"`,
		"refuse store.ack by 3ms":     `"by 3ms" is too much`,
		"lose store.ack, lose stor.":  `port fault "lose stor."`,
	} {
		if list, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v, want %q", text, list, err, want)
		}
	}
}

// TestFormsAreComplete: each kind has a form, whose text with words put in is one of it.
func TestFormsAreComplete(t *testing.T) {
	words := strings.NewReplacer("PORT", "store.ack", "[CALLS]", "every 2", "DURATION", "1s")
	var have []Kind
	for _, form := range Forms() {
		list, err := Parse(words.Replace(form.Form))
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, list[0].Kind)
	}
	if !slices.Equal(have, kinds) {
		t.Errorf("the forms are of %q, want %q", have, kinds)
	}
}

// FuzzParse: what is accepted has one text, which is read as the same.
func FuzzParse(f *testing.F) {
	f.Add("refuse store.ack 3..5, slow producer.produce by 50ms")
	f.Add("crash after store.release 0x10\nlose store.attach every 007")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(text)
		if err != nil {
			return
		}
		back, err := Parse(list.String())
		if err != nil || !slices.Equal(back, list) || back.String() != list.String() {
			t.Errorf("%q is %q, which is read back as %q, %v", text, list, back, err)
		}
	})
}

func TestCalls(t *testing.T) {
	for _, c := range []struct {
		calls Calls
		want  []int
	}{
		{Calls{}, []int{1, 2, 3, 4, 5, 6}},
		{Calls{From: 3, To: 3}, []int{3}},
		{Calls{From: 2, To: 4}, []int{2, 3, 4}},
		{Calls{Every: 1}, []int{1, 2, 3, 4, 5, 6}},
	} {
		var hit []int
		for n := 1; n <= 6; n++ {
			if c.calls.Hit(n) {
				hit = append(hit, n)
			}
		}
		if !slices.Equal(hit, c.want) {
			t.Errorf("%q hits %v, want %v", c.calls, hit, c.want)
		}
	}
}

// TestEveryHitsAllWhoTakeTurns: one call of each N, and each of callers that take turns at times.
func TestEveryHitsAllWhoTakeTurns(t *testing.T) {
	for every := 2; every <= 20; every++ {
		for callers := 2; callers <= 8; callers++ {
			hits, inBlock := make([]int, callers), 0
			for n := 1; n <= 400*every; n++ {
				if (Calls{Every: every}).Hit(n) {
					hits[n%callers]++
					inBlock++
				}
				if n%every == 0 && inBlock != 1 {
					t.Fatalf("every %d hits %d of %d calls up to %d", every, inBlock, every, n)
				} else if n%every == 0 {
					inBlock = 0
				}
			}
			for caller, n := range hits {
				if n < 10 || callers*n > 4*400 {
					t.Errorf("every %d hits %d calls of caller %d of %d", every, n, caller, callers)
				}
			}
		}
	}
}

// TestAgain: a successor has the calls that are not given by their numbers.
func TestAgain(t *testing.T) {
	list, err := Parse("crash after store.ack 2, refuse store.ack every 3, lose store.load, " +
		"refuse store.claim 1..9")
	if err != nil {
		t.Fatal(err)
	}
	const want = "refuse store.ack every 3, lose store.load"
	if again := list.Again(); again.String() != want || len(list) != 4 {
		t.Errorf("again it is %q, want %q; the first is %q now", again, want, list)
	}
}

// TestPortsOfConsumers: a consumer that crashes ends the run, so that no fault may crash one.
func TestPortsOfConsumers(t *testing.T) {
	for port, want := range map[Port]bool{
		StoreAttach: true, StoreFence: true, StoreMemory: true, StoreBeat: true, StoreSweep: true, StoreAdopt: true,
		DeadLetter: true, SourcePoll: true, SpawnerStart: true, SpawnerStop: true, SpawnerKill: true,
		StoreLease: false, StoreClaim: false, StoreLoad: false, StoreAck: false, StoreRelease: false, Produce: false,
	} {
		if got := port.OfConsumer(); got != want {
			t.Errorf("%s is of consumers: %v", port, got)
		}
	}
}
