package purity

import (
	"fmt"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// moduleDir is where go.mod is, from this package's folder.
const moduleDir = "../.."

func TestImportsPointOneWay(t *testing.T) {
	all, err := list(moduleDir, "./...")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range checkImports(all) {
		t.Error(fault)
	}
	have := make(map[string]bool)
	for _, p := range all {
		have[p.ImportPath] = true
	}
	for _, pure := range purePackages {
		if !have[module+"/"+pure] {
			t.Errorf("pure package %s is not there: rules.go watches nothing", pure)
		}
	}
}

func TestPurePackagesArePure(t *testing.T) {
	for _, path := range purePackages {
		t.Run(path, func(t *testing.T) {
			checked, err := typecheck(moduleDir, module+"/"+path)
			if err != nil {
				t.Fatal(err)
			}
			if len(checked[0].files) == 0 {
				t.Fatal("no files were checked")
			}
			for _, f := range checkSource(checked[0]) {
				if rel, err := filepath.Rel(moduleDir, f.at.Filename); err == nil {
					f.at.Filename = rel
				}
				t.Error(f)
			}
		})
	}
}

// TestPlantedImpurities runs the checker on a package whose comments say what it must find: so each
// rule can fail, and nothing else is found.
func TestPlantedImpurities(t *testing.T) {
	checked, err := typecheck(".", module+"/internal/purity/testdata/planted")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range checkSource(checked[0]) {
		got = append(got, place(f.at, 0)+f.rule)
	}
	want := wanted(checked[0])
	slices.Sort(got)
	slices.Sort(want)
	for _, w := range want {
		if i := slices.Index(got, w); i >= 0 {
			got = slices.Delete(got, i, i+1)
			continue
		}
		t.Errorf("planted and not found: %s", w)
	}
	for _, g := range got {
		t.Errorf("found and not planted: %s", g)
	}
	for _, rule := range []string{
		ruleClock, ruleRandom, ruleConcurrency, ruleMapOrder, ruleMark, ruleLock,
	} {
		if !strings.Contains(strings.Join(want, "\n"), rule) {
			t.Errorf("no planted violation of the rule %q", rule)
		}
	}
}

// wanted reads the comments that name what must be found.
func wanted(t typed) (want []string) {
	for _, f := range t.files {
		for _, group := range f.Comments {
			for _, c := range group.List {
				at, next := t.fset.Position(c.Pos()), 0
				rules, ok := strings.CutPrefix(c.Text, "// want: ")
				if !ok {
					rules, ok = strings.CutPrefix(c.Text, "// want next: ")
					next = 1
				}
				if !ok {
					continue
				}
				for rule := range strings.SplitSeq(rules, ", ") {
					want = append(want, place(at, next)+rule)
				}
			}
		}
	}
	return want
}

func place(at token.Position, next int) string {
	return fmt.Sprintf("%s:%d: ", filepath.Base(at.Filename), at.Line+next)
}

func TestPlantedImports(t *testing.T) {
	tests := []struct {
		own, imported string
		why           string // part of the fault, "" where the import is right
	}{
		{"buffer", "fmt", ""},
		{"buffer", "time", ""},
		{"buffer/codec", "sluice/buffer", ""},
		{"buffer/codec", "github.com/klauspost/compress/zstd", ""},
		{"buffer/redisstore", "github.com/redis/rueidis", ""},
		{"flusher", "sluice/buffer", ""},
		{"scenarios", "sluice/flusher", ""},
		{"internal/worlds/wall", "sluice/internal/kafkaio", ""},
		{"internal/judge", "sluice/internal/ledger", ""},
		{"internal/judge", "sluice/reports", ""},
		{"cmd/simulate", "sluice/sim", ""},
		{"cmd/run", "sluice/cmd/run/internal/flags", ""},

		{"buffer", "sluice/flusher", "layer"},
		{"buffer/redisstore", "sluice/flusher", "layer"},
		{"flusher", "sluice/scenarios", "layer"},
		{"scenarios", "sluice/sim", "layer"},
		{"internal/kafkaio", "sluice/internal/harness", "layer"},
		{"internal/kafkaio", "sluice/sim", "layer"},
		{"sim", "sluice/cmd/simulate", "layer"},
		{"cmd/simulate", "sluice/cmd/run", "its own"},
		{"cmd/simulate", "sluice/cmd/run/internal/flags", "its own"},

		{"consumer", "sluice/flusher", ""},
		{"consumer/ingest", "sluice/scenarios", "layer"},
		{"consumer", "sluice/internal/wallclock", "layer"},
		{"consumer", "sluice/sim", "layer"},
		{"flusher", "sluice/consumer", "layer"},
		{"cmd/simulate", "sluice/internal/worlds/wall/real", ""},
		{"internal/worlds/wall/real", "sluice/internal/worlds/wall", ""},
		{"internal/worlds/wall/real", "sluice/internal/harness", ""},
		{"internal/worlds/wall/real", "sluice/internal/worlds/wall/fakes", "world"},
		{"internal/worlds/elsewhere", "sluice/internal/worlds/wall", "world"},
		{"sim", "sluice/internal/worlds/wall", "world"},
		{"internal/harness", "sluice/internal/worlds/wall", "layer"},
		{"internal/judge", "sluice/internal/harness", "layer"},
		{"internal/harness", "sluice/internal/defects", ""},

		{"flusher", "sluice/buffer/redisstore", "only pure ones"},
		{"consumer", "sluice/buffer/redisstore", "only pure ones"},
		{"scenarios", "sluice/internal/servers", "only pure ones"},
		{"internal/judge", "sluice/internal/kafkaio", "only pure ones"},
		{"internal/defects", "sluice/internal/pipeline", "only pure ones"},
		{"internal/defects", "sluice/internal/harness", "layer"},
		{"internal/harness", "sluice/internal/process", "only pure ones"},
		{"internal/harness", "os", "ports"},
		{"internal/ledger", "sluice/reports", "layer"},
		{"internal/judge", "os", "ports"},
		{"internal/judge", "gonum.org/v1/plot", "third-party"},
		{"consumer/ingest", "github.com/twmb/franz-go/pkg/kgo", "third-party"},
		{"buffer", "github.com/redis/rueidis", "third-party"},
		{"buffer/memstore", "github.com/alicebob/miniredis/v2", "third-party"},
		{"flusher", "golang.org/x/sys/unix", "third-party"},
		{"buffer", "net", "ports"},
		{"buffer", "net/netip", "ports"},
		{"flusher", "os", "ports"},
		{"flusher", "os/exec", "ports"},
		{"buffer", "hash/maphash", "ports"},
		{"buffer", "crypto/rand", "ports"},
		{"flusher", "runtime", "ports"},
		{"flusher", "testing", "ports"},
	}
	for _, tt := range tests {
		p := listed{ImportPath: module + "/" + tt.own, Imports: []string{tt.imported}}
		got := strings.Join(checkImports([]listed{p}), "\n")
		if (tt.why == "") != (got == "") || !strings.Contains(got, tt.why) {
			t.Errorf("%s imports %s: got %q, want %q", tt.own, tt.imported, got, tt.why)
		}
	}
}

func TestPlantedProductionImports(t *testing.T) {
	run := listed{ImportPath: production, Deps: []string{"fmt", "sluice/buffer", "net/http"}}
	if faults := checkImports([]listed{run}); len(faults) > 0 {
		t.Errorf("good imports give %v", faults)
	}
	for _, bad := range append(notInProduction, "sluice/sim/kernel") {
		run.Deps = []string{"fmt", bad}
		faults := checkImports([]listed{run})
		if len(faults) != 1 || !strings.Contains(faults[0], bad) {
			t.Errorf("production reaches %s: got %v", bad, faults)
		}
	}
}

func TestEveryPackageHasALayer(t *testing.T) {
	faults := checkImports([]listed{{ImportPath: "sluice/elsewhere"}})
	if len(faults) != 1 || !strings.Contains(faults[0], "no layer") {
		t.Errorf("a package in no layer gives %v", faults)
	}
}

func TestRenamedPackageIsNotPassedOver(t *testing.T) {
	if _, err := typecheck(moduleDir, module+"/no/such/package"); err == nil {
		t.Error("a pure package that is not there gave no error")
	}
}
