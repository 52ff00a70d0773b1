package judge

// Measure is something that a world measures, or cannot.
type Measure string

// What not every world can measure.
const (
	// WorkerMemory is Sample.WorkerBytesMax.
	WorkerMemory Measure = "worker memory"
	// Processes are ConsumerLook.Live, Look.Orphans and Evidence.Survivors.
	Processes Measure = "processes"
	// ProcessorTime is Sample.CPUHarness.
	ProcessorTime Measure = "processor time"
	// VirtualTime is how much time passed on a clock that is not the wall's.
	VirtualTime Measure = "virtual time"
	// StoreCalls are Evidence.Breaches.
	StoreCalls Measure = "store calls"
)

// measureOf says of figures of result.json what they need. All worlds know the others.
var measureOf = map[string]Measure{
	"harness.cpu_seconds": ProcessorTime, "run.virtual_seconds": VirtualTime,
}
