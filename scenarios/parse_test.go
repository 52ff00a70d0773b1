package scenarios

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/yamlfile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestReadErrors reads every testdata/errors/*.yaml and compares what is said about it with the
// file of the same name that ends in .golden.
func TestReadErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Read(filepath.Base(file), text)
			if err == nil {
				t.Fatal("the file was accepted")
			}
			if problems := (yamlfile.Problems{}); !errors.As(err, &problems) {
				t.Fatalf("error is %T, want yamlfile.Problems", err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err2 := os.ReadFile(golden)
			if err2 != nil {
				t.Fatal(err2)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// libraryNames are the scenarios that users rely on.
var libraryNames = strings.Fields(`backpressure burst clock-jump consumer-crash crash crash-loop
	duplicates giant-trace hang host-pause hot-shard kafka-brokers kafka-cut kafka-down kafka-refuses kafka-slow late-spans mix
	poison ramp rebalance redis-down redis-failover redis-full redis-restart redis-slow retention shutdown-under-load sine sizes skewed-clock slow-start
	steady`)

func TestLibraryReadsAndPrintsBack(t *testing.T) {
	if got, want := strings.Join(List(), " "), strings.Join(libraryNames, " "); got != want {
		t.Errorf("library is %q, want %q", got, want)
	}
	for _, name := range List() {
		s, err := Load(name, nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if s.Name != name {
			t.Errorf("scenario %s calls itself %s", name, s.Name)
		}
		again, err := Read("again", []byte(s.String()))
		if err != nil {
			t.Errorf("%s does not parse back: %v\n%s", name, err, s)
			continue
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("%s parses back as another scenario: -want +got:\n%s\n%s", name, diff, s)
		}
	}
}

func TestLoad(t *testing.T) {
	_, err := Load("hnag", nil)
	if err == nil || !strings.Contains(err.Error(), "did you mean hang?") {
		t.Errorf("error for hnag is %v", err)
	}
	file := func(path string) ([]byte, error) {
		if path != "some/where.yaml" {
			return nil, os.ErrNotExist
		}
		return []byte("name: where\n"), nil
	}
	s, err := Load("some/where.yaml", file)
	if err != nil || s.Name != "where" || !cmp.Equal(s.Workload.SpansPerTrace, Fixed(20)) {
		t.Errorf("got %v, %v", s, err)
	}
	if _, err := Load("else.yml", file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error for a missing file is %v", err)
	}
}

func TestRepeatsAreAllowedWithFaultsOnly(t *testing.T) {
	for text, want := range map[string]Count{
		"name: a": 0,
		"name: a\ntopology:\n  flusher_processes: 1\nfaults:\n- at 1s crash worker 0": Unlimited,
		"name: a\nexpectations:\n  repeated_spans_max: 7":                             7,
	} {
		s, err := Read("x", []byte(text))
		if err != nil || s.Expectations.RepeatedSpansMax != want {
			t.Errorf("%q: %v, %v, want %v", text, s.Expectations.RepeatedSpansMax, err, want)
		}
	}
}

// TestTheDefaultIsValid, once it has a name: also if no file was read.
func TestTheDefaultIsValid(t *testing.T) {
	s := Default()
	s.Name = "mine"
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}
