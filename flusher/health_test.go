package flusher

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	now := time.Unix(10_000, 0)
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	tests := []struct {
		name   string
		vitals Vitals
		want   Health
	}{
		{"just started", Vitals{Started: ago(1), Beat: ago(1)}, HealthStarting},
		{"a start may take twice as long", Vitals{Started: ago(120), Beat: ago(120)}, HealthStarting},
		{"and no longer", Vitals{Started: ago(121), Beat: ago(121)}, HealthUnstarted},
		{"not even if it beats", Vitals{Started: ago(121), Beat: now}, HealthUnstarted},
		{"healthy", Vitals{Started: ago(500), Beat: ago(1), Stage: StageIdle}, HealthHealthy},
		{"slow", Vitals{Started: ago(500), Beat: ago(60), Stage: StageWait}, HealthHealthy},
		{"hung", Vitals{Started: ago(500), Beat: ago(61), Stage: StageWait}, HealthHung},
		{"hung though young", Vitals{Started: ago(61), Beat: ago(61), Stage: StageLease}, HealthHung},
		{"dead", Vitals{Started: ago(1), Beat: now, Stage: StageIdle, Exited: true}, HealthDead},
		{"dead before it beat", Vitals{Started: ago(1), Beat: ago(1), Exited: true}, HealthDead},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Judge(test.vitals, now, time.Minute); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// A supervisor that was itself frozen must not take all its workers for hung.
func TestWatcherExcusesItsOwnAbsence(t *testing.T) {
	begin := time.Unix(10_000, 0)
	w := watcher{looked: begin}
	judge := func(now time.Time, beat time.Time) Health {
		v := Vitals{Started: begin, Beat: beat, Stage: StageIdle}
		return Judge(w.look(v, now, time.Second, time.Minute), now, time.Minute)
	}
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	if got := judge(at(1), at(1)); got != HealthHealthy {
		t.Errorf("at first: %v", got)
	}
	if got := judge(at(500), at(1)); got != HealthHealthy {
		t.Errorf("after 499 s in which nobody looked: %v, want healthy", got)
	}
	for second := 501; second <= 560; second++ {
		if got := judge(at(second), at(1)); got != HealthHealthy {
			t.Fatalf("%d s after the supervisor woke: %v, want healthy", second-500, got)
		}
	}
	if got := judge(at(561), at(1)); got != HealthHung {
		t.Errorf("61 s after the supervisor woke: %v, want hung", got)
	}
}
