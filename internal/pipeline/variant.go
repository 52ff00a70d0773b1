package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"sluice/flusher"
)

// Variant changes what a pipeline is wired from, each part by a function that wraps it; nil leaves
// the part as it is. The harness wraps defects around the real parts with it, to see that it
// catches them. Production registers none, so that no part of it knows of variants.
type Variant struct {
	// Source wraps the input of the consumer, Spawner what starts its workers.
	Source  func(flusher.Source) flusher.Source
	Spawner func(flusher.Spawner) flusher.Spawner
	// Producer wraps the output of each worker, in the worker's own process.
	Producer func(flusher.Producer) flusher.Producer
}

var variants = struct {
	sync.Mutex
	byName map[string]Variant
}{byName: make(map[string]Variant)}

// RegisterVariant makes a variant known under a name, to this program and to the processes that it
// starts of itself. It is called while packages are initialised. A name that is taken is a panic.
func RegisterVariant(name string, v Variant) {
	variants.Lock()
	defer variants.Unlock()
	if _, taken := variants.byName[name]; taken || name == "" {
		panic(fmt.Sprintf("pipeline: variant %q is registered twice, or has no name", name))
	}
	variants.byName[name] = v
}

// variant returns the variant of that name; the one without a name changes nothing.
func variant(name string) (Variant, error) {
	variants.Lock()
	defer variants.Unlock()
	v, ok := variants.byName[name]
	if !ok && name != "" {
		return v, fmt.Errorf("no variant of the pipeline is called %q: want one of %q",
			name, slices.Sorted(maps.Keys(variants.byName)))
	}
	return v, nil
}

func wrap[T any](part T, wrapper func(T) T) T {
	if wrapper == nil {
		return part
	}
	return wrapper(part)
}
