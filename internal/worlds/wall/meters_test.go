package wall

import (
	"os"
	"testing"

	"sluice/buffer"
)

// TestMemoryOfNodes: what is beside a limit is that of one node, and all have what all have.
func TestMemoryOfNodes(t *testing.T) {
	nodes := []buffer.NodeMemory{{Used: 60, Max: 100}, {Used: 70, Max: 200}, {Used: 10, Max: 100}}
	if got, want := memoryOf(nodes), (redisMemory{used: 60, max: 100, all: 140}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := memoryOf(nil); got != (redisMemory{}) {
		t.Errorf("of no node: %+v", got)
	}
}

func TestProcessesAreMeasured(t *testing.T) {
	self := []int{os.Getpid()}
	if memory := residentMax(self); memory < 1<<20 {
		t.Errorf("this process holds %d bytes", memory)
	}
	var meter cpuMeter
	for used := 0.0; used == 0; used = meter.seconds(self) { // until the first tick
		if t.Context().Err() != nil {
			t.Fatal("this process has used no time")
		}
	}
	const nobody = 1 << 30
	if before, after := meter.seconds(self), meter.seconds([]int{nobody}); after < before {
		t.Errorf("%v s were used, then %v", before, after)
	}
}
