package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"sluice/scenarios"
)

// sameOptions are the keys of a scenario that are flags of cmd/run, too, with what both make of one.
var sameOptions = map[string]struct {
	run      func(Run) any
	scenario func(scenarios.Scenario) any
}{
	"topology.flusher_processes": {
		func(r Run) any { return r.Pipeline.Flusher.Processes },
		func(s scenarios.Scenario) any { return int(s.Topology.FlusherProcesses) }},
	"topology.flusher_mode": {
		func(r Run) any { return string(r.Pipeline.Mode) },
		func(s scenarios.Scenario) any { return string(s.Topology.FlusherMode) }},
	"pipeline.timeout": {
		func(r Run) any { return r.Pipeline.Options.Timeout },
		func(s scenarios.Scenario) any { return s.Pipeline.Timeout }},
	"pipeline.root_timeout": {
		func(r Run) any { return r.Pipeline.Options.RootTimeout },
		func(s scenarios.Scenario) any { return s.Pipeline.RootTimeout }},
	"pipeline.max_segment_age": {
		func(r Run) any { return r.Pipeline.Options.MaxSegmentAge },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxSegmentAge }},
	"pipeline.max_segment_bytes": {
		func(r Run) any { return r.Pipeline.Options.MaxSegmentBytes },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxSegmentBytes }},
	"pipeline.max_flush_segments": {
		func(r Run) any { return r.Pipeline.Worker.MaxFlushSegments },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxFlushSegments }},
	"pipeline.max_unhealthy": {
		func(r Run) any { return r.Pipeline.Flusher.MaxUnhealthy },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxUnhealthy }},
	"pipeline.backpressure_after": {
		func(r Run) any { return r.Pipeline.Flusher.BackpressureAfter },
		func(s scenarios.Scenario) any { return s.Pipeline.BackpressureAfter }},
	"pipeline.restart_budget": {
		func(r Run) any { return r.Pipeline.Flusher.RestartBudget },
		func(s scenarios.Scenario) any { return s.Pipeline.RestartBudget }},
	"pipeline.max_memory": {
		func(r Run) any { return r.Pipeline.Flusher.MaxMemory },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxMemory }},
	"pipeline.max_batch": {
		func(r Run) any { return r.Pipeline.Ingest.MaxBatch },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxBatch }},
	"pipeline.max_batch_wait": {
		func(r Run) any { return r.Pipeline.Ingest.MaxBatchWait },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxBatchWait }},
}

// TestTheSameWordsEverywhere gives every word to every option, in a scenario's file, by --set, in a
// configuration file, by a variable and by a flag: all five must make the same of it.
func TestTheSameWordsEverywhere(t *testing.T) {
	bare(t)
	words := strings.Fields(`off none unlimited per-shard broker process goroutine thread true
		0 1 7 007 0x10 1_000 40000 -1 -0 0.8 .8 1. 1e-1 1e6 80% 100% 120% 0% 0.0 1.5 inf nan
		0s 90s 1m30s 250ms 1.5s -1s +5s 5 1h30 1d 10us
		512KB 512kb 10MiB 1.5KiB 1.1MiB 0.3B 10485760 1GiB 10MX 7b B`)
	words = append(words, "10 MiB", "5 s", "2 sec", "80 %")
	accepted := map[string][]string{}
	for key, option := range sameOptions {
		section, name, _ := strings.Cut(key, ".")
		flag := strings.ReplaceAll(name, "_", "-")
		variable := envPrefix + strings.ToUpper(name)
		for _, word := range words {
			text := func(r Run, err error) string {
				if err != nil {
					return "refused"
				}
				return fmt.Sprint(option.run(r))
			}
			ofScenario := func(s scenarios.Scenario, err error) string {
				if err != nil {
					return "refused"
				}
				return fmt.Sprint(option.scenario(s))
			}
			s, err := scenarios.Read("x", []byte("name: a\n"+section+":\n  "+name+": "+word+"\n"))
			want := ofScenario(s, err)
			got := map[string]string{}
			s, _, err = scenarios.ReadWith("x", []byte("name: a"), key+"="+word)
			got["--set"] = ofScenario(s, err)
			got["a flag"] = text(Parse([]string{"--" + flag + "=" + word}, "", io.Discard))
			file := write(t, "c.yaml", name+": "+word+"\n")
			got["a file"] = text(Parse([]string{"--config", file}, "", io.Discard))
			t.Run("", func(t *testing.T) {
				t.Setenv(variable, word)
				got["a variable"] = text(Parse(nil, "", io.Discard))
			})
			for way, value := range got {
				if value != want {
					t.Errorf("%s: %s is %s in a scenario, and %s by %s", key, word, want, value, way)
				}
			}
			if want != "refused" {
				accepted[key] = append(accepted[key], word+" "+want)
			}
		}
	}
	for key, some := range map[string][]string{
		"topology.flusher_processes": {"per-shard -1", "7 7"},
		"topology.flusher_mode":      {"goroutine goroutine"},
		"pipeline.timeout":           {"90s 1m30s", "250ms 250ms"},
		"pipeline.max_segment_age":   {"off 0s"},
		"pipeline.max_segment_bytes": {"off 0", "512KB 512000", "10 MiB 10485760"},
		"pipeline.max_memory":        {"off 1", "80% 0.8"},
	} {
		for _, want := range some {
			if !strings.Contains(" "+strings.Join(accepted[key], ", ")+",", " "+want+",") {
				t.Errorf("%s: %s is not accepted: %q", key, want, accepted[key])
			}
		}
	}
}

// TestNoOptionIsForgotten: what a scenario has of the pipeline's options is in the table above.
func TestNoOptionIsForgotten(t *testing.T) {
	for field := range reflect.TypeFor[scenarios.Pipeline]().Fields() {
		if key := "pipeline." + field.Tag.Get("yaml"); sameOptions[key].run == nil {
			t.Errorf("%s has no row", key)
		}
	}
}
