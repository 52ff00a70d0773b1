package museum

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

func scout(t *testing.T, s scenarios.Scenario, d string) (text string) {
	var err error
	defer func() {
		if err != nil {
			text = "ERROR " + err.Error()
		}
	}()
	defer kernel.Catch(&err)
	o, err2 := harness.Run(t.Context(), harness.Config{Scenario: s, World: sim.World{}, Defect: d})
	if err2 != nil {
		return "ERROR " + err2.Error()
	}
	text = o.Result.Verdict
	for _, l := range [][]reports.Judgement{o.Result.Invariants, o.Result.Expectations} {
		for _, j := range l {
			if j.Verdict == reports.Violated || j.Verdict == reports.Unknown {
				det := j.Detail
				if len(det) > 300 {
					det = det[:300]
				}
				text += fmt.Sprintf("\n      %s %s: %s", j.Name, j.Verdict, det)
			}
		}
	}
	return text
}

func TestScout(t *testing.T) {
	only := os.Getenv("ONLY")
	for _, d := range defects.All()[:len(defects.All())-len(defects.Damages())] {
		if only != "" && !strings.Contains(","+only+",", ","+d.Name+",") {
			continue
		}
		s, _, err := scenarios.LoadWith(d.Shown, os.ReadFile, d.Changes...)
		if err != nil {
			fmt.Println(d.Name, err)
			continue
		}
		for seed := uint64(1); seed <= 2; seed++ {
			s.Seed = seed
			fmt.Printf("%s seed %d (want %s)\n  WITH %s\n  WITHOUT %s\n", d.Name, seed, d.Caught, scout(t, s, d.Name), scout(t, s, ""))
		}
	}
}
