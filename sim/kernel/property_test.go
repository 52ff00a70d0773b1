package kernel_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/internal/proptest"
	"sluice/sim/kernel"
)

// TestPropertyAsItsTwin: random programs of sleeps, waits, cancellations, kills and freezes have
// the log that the dumb twin gives them, and one digest.
func TestPropertyAsItsTwin(t *testing.T) {
	proptest.Check(t, "twin", prop.ForAll(func(words []uint32) (bool, error) {
		p := newProgram(words)
		want := (&twin{}).run(p)
		got, digest := execute(p)
		if !slices.Equal(got, want) {
			return false, fmt.Errorf("%v\ngot\n%q\nwant\n%q", p, got, want)
		}
		if _, again := execute(p); again != digest {
			return false, fmt.Errorf("%v has the digests %s and %s", p, digest, again)
		}
		return true, nil
	}, gen.SliceOf(gen.UInt32())), proptest.Cases(3000))
}

// machine runs a program in a kernel.
type machine struct {
	*kernel.Kernel
	contexts  [contexts]context.Context
	cancel    [contexts]context.CancelFunc
	processes [processes]*kernel.Process
	cond      *kernel.Cond
	tasks     []task
	log       []string
}

type task interface {
	Wait()
	Done() bool
}

func execute(p program) (log []string, digest string) {
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		panic(err)
	}
	defer k.Close()
	m := &machine{Kernel: k, cond: k.NewCond("cond")}
	m.prepare()
	for i, ops := range p {
		m.begin(i%processes, ops)
	}
	_ = k.Sleep(context.Background(), programEnd)
	for i, t := range m.tasks {
		m.log = append(m.log, fmt.Sprint(i, " done: ", t.Done()))
	}
	return m.log, k.Digest()
}

// prepare makes the contexts, some by the kernel and some by the standard library, and the
// processes.
func (m *machine) prepare() {
	m.contexts[0] = context.Background()
	for i := 1; i < contexts; i++ {
		parent := m.contexts[parentOf[i]]
		switch i {
		case timeout:
			m.contexts[i], m.cancel[i] = m.WithTimeout(parent, timeoutAt)
		case 2, 3:
			m.contexts[i], m.cancel[i] = m.WithCancel(parent)
		default:
			m.contexts[i], m.cancel[i] = context.WithCancel(parent)
		}
	}
	m.processes[0], m.processes[1] = m.Process("0"), m.Process("1")
	m.processes[2] = m.processes[1].Process("2")
}

func (m *machine) begin(process int, ops []op) {
	index := len(m.tasks)
	m.tasks = append(m.tasks, nil)
	m.tasks[index] = m.processes[process].Go(fmt.Sprint(index), func() {
		for i, o := range ops {
			err := m.do(process, o)
			m.Note("done", int64(index), int64(i))
			m.log = append(m.log, fmt.Sprint(int64(m.Elapsed()), " ", index, ".", i, " ", err))
		}
	})
}

func (m *machine) do(process int, o op) error {
	ctx := m.contexts[o.ctx]
	switch o.kind {
	case opSleep, opSleepMore:
		return m.Sleep(ctx, time.Duration(o.d))
	case opWaitCond:
		return m.cond.Wait(ctx)
	case opWaitFor:
		return m.cond.WaitFor(ctx, time.Duration(o.d))
	case opSignal:
		m.cond.Signal()
	case opWaitTask:
		m.tasks[o.to].Wait()
	case opGo:
		m.begin(process, []op{{kind: opSleep, d: o.d, ctx: o.ctx}})
	case opCancel:
		if o.ctx > 0 {
			m.cancel[o.ctx]()
		}
	case opFreeze:
		m.processes[o.to].Freeze()
	case opWake:
		m.processes[o.to].Wake()
	case opKill:
		m.processes[o.to].Kill()
	}
	return nil
}
