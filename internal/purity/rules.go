package purity

import "strings"

// module is the path that the project's own packages start with.
const module = "sluice"

// purePackages decide, and are used unchanged in every world. They may import one another, the
// standard library without what impureStd lists, and pureThirdParty; and what alsoImported says.
var purePackages = []string{
	"buffer", "buffer/codec", "buffer/memstore", "flusher", "consumer", "consumer/ingest",
	"scenarios", "internal/options", "internal/yamlfile", "internal/load", "internal/ledger",
	"internal/judge", "internal/journal", "internal/latency", "internal/harness", "internal/check", "internal/portfault",
	"internal/portfault/inject", "internal/defects",
	"internal/shrink", "internal/swarm",
	"internal/usl", "internal/capacity", "internal/compare", "internal/diff",
}

// alsoImported is the one package that is not pure and may be imported by pure ones, for the types
// of its record: reports draws, and saves what it has drawn.
var alsoImported = map[string]string{
	"internal/judge": "reports", "internal/journal": "reports", "internal/latency": "reports",
	"internal/harness": "reports", "internal/shrink": "reports",
	"internal/capacity": "reports", "internal/compare": "reports", "internal/diff": "reports",
}

// impureStd are the packages of the standard library through which a pure package could reach the
// machine, each with everything below it.
var impureStd = []string{
	"crypto/rand", "database/sql", "hash/maphash", "net", "os", "plugin", "runtime", "syscall",
	"testing", "unsafe", "C",
}

// pureThirdParty may be imported by pure packages: codecs, parsers, histograms and statistics, no drivers.
var pureThirdParty = []string{
	"github.com/HdrHistogram/hdrhistogram-go",
	"github.com/aclements/go-moremath",
	"github.com/cespare/xxhash/v2",
	"github.com/goccy/go-yaml",
	"github.com/invopop/jsonschema",
	"github.com/klauspost/compress",
	"gonum.org/v1/gonum",
}

// layers order the project's packages; an import goes to the same layer or a lower one. The
// longest entry that a package's path starts with is its own.
var layers = map[string]int{
	"internal/proptest":   0, // tools of the tests: they know nothing of the project
	"internal/servers":    0,
	"internal/purity":     0,
	"internal/check":      0,
	"internal/route":      0,
	"internal/logging":    0,
	"internal/moduleroot": 0,
	"internal/statusline": 0,
	"internal/syncbuf":    0,
	"buffer":              1,
	"internal/options":    1,
	"internal/yamlfile":   1,
	"flusher":             2,
	"consumer":            3,
	"scenarios":           4,
	"internal/process":    3, // what a process does comes from above, by a role
	"internal":            4, // adapters and glue
	"internal/judge":      5,
	"reports":             5,
	"internal/journal":    5,
	"internal/latency":    5,
	"internal/harness":    6,
	"internal/shrink":     6,
	"internal/swarm":      6,
	"internal/certainty":  6,
	"internal/rundir":     6,
	"internal/mutants":    6, // it reads exit codes
	"internal/usl":        0,
	"internal/capacity":   6,
	"internal/compare":    6,
	"internal/calibrate":  7, // it measures sim's costs
	"internal/diff":       6,
	"internal/worlds":     7, // a run, by the harness's interfaces
	"sim":                 7,
	"cmd":                 8,

	"internal/process/consumer": 4, // a whole pipeline is below it
}

// worlds holds those a run can take place in: only programs and tests import them, and none imports
// another.
const worlds = "internal/worlds"

// notInProduction is what cmd/run must not reach by any path. (miniredis and kfake are not here:
// cmd/run --embedded runs them.)
var notInProduction = []string{
	module + "/sim",
	module + "/internal/judge",
	module + "/internal/journal",
	module + "/internal/latency",
	module + "/internal/harness",
	module + "/internal/shrink",
	module + "/internal/swarm",
	module + "/internal/certainty",
	module + "/internal/rundir",
	module + "/internal/capacity",
	module + "/internal/usl",
	module + "/internal/compare",
	module + "/internal/calibrate",
	module + "/internal/diff",
	module + "/internal/worlds",
	module + "/internal/process/consumer",
	module + "/internal/defects",
	module + "/internal/portfault/inject",
	module + "/reports",
	module + "/buffer/storetest",
	module + "/buffer/conformance",
	module + "/internal/proptest",
	module + "/internal/servers",
	module + "/internal/syncbuf",
	module + "/internal/moduleroot",
	"testing",
	"github.com/leanovate/gopter",
	"go.uber.org/goleak",
}

// production is the program that runs beside nobody's test.
const production = module + "/cmd/run"

// wallClock are functions, as "package.Name" or "package.Type.Name", that read or wait for the
// time of day.
var wallClock = set(
	"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc",
	"time.Tick", "time.NewTimer", "time.NewTicker",
	"context.WithTimeout", "context.WithTimeoutCause",
	"context.WithDeadline", "context.WithDeadlineCause",
)

// concurrency are functions that start goroutines or wait for them; go and select statements and
// channel operations are found as such. (A mutex is free: it is held for moments, never over a
// port's call, which locks.go checks.)
var concurrency = set(
	"sync.WaitGroup.Go", "sync.WaitGroup.Wait", "sync.Cond.Wait", "context.AfterFunc",
)

// seededRand are the functions of math/rand and math/rand/v2 that use no global source; all others
// do.
var seededRand = set("New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf")

// mapOrder are functions that hand out a map's entries in its order.
var mapOrder = set(
	"maps.All", "maps.Keys", "maps.Values", "sync.Map.Range",
	"reflect.Value.MapKeys", "reflect.Value.MapRange", "reflect.Value.Seq", "reflect.Value.Seq2",
)

// orderGone are functions whose direct argument may come in any order.
var orderGone = set(
	"slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc", "maps.Collect", "maps.Insert",
)

// orderFree marks a loop over a map; a reason must follow.
const orderFree = "//order-free:"

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}

// within says whether path is one of the roots or below one.
func within(path string, roots []string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}
