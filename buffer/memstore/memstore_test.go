package memstore_test

import (
	"testing"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/memstore"
	"sluice/buffer/storetest"
	"sluice/flusher"
)

func open(_ testing.TB, options buffer.Options) storetest.Store { return memstore.New(options) }

func TestConformance(t *testing.T) {
	storetest.Conformance(t, storetest.Subject{
		Name:     "memstore",
		Open:     open,
		Codec:    func(limit buffer.Bytes) storetest.Codec { return codec.New(limit) },
		ShardMap: flusher.ShardMap,
	})
}

func TestSteps(t *testing.T) { storetest.Steps(t, open) }
