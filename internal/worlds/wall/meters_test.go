package wall

import (
	"os"
	"testing"
)

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
