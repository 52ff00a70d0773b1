package reports

import (
	"cmp"
	"fmt"
	"slices"
)

// Lane is the life of one worker, or of one consumer as a whole.
type Lane struct {
	Consumer int
	// Worker is NoWorker for the lane of the consumer.
	Worker int
	Bars   []StateBar
}

// StateBar is a time that a worker or consumer spent in one state.
type StateBar struct {
	From, To float64
	State    State
}

// lanes are ordered by consumer, each with its workers below. Consumers get lanes of their own only
// where something happened to one.
func lanes(events []Event, from, end float64) []Lane {
	type key struct{ consumer, worker int }
	byKey := map[key]*Lane{}
	var list []*Lane
	consumers := consumersMatter(events)
	for _, e := range events {
		k := key{e.Consumer, e.Worker}
		switch {
		case e.Kind == EventConsumer && consumers:
			k.worker = NoWorker
		case e.Kind != EventWorker:
			continue
		}
		if byKey[k] == nil {
			byKey[k] = &Lane{Consumer: k.consumer, Worker: k.worker}
			list = append(list, byKey[k])
		}
		byKey[k].enter(e.State, max(e.T, from), end)
	}
	slices.SortFunc(list, func(a, b *Lane) int {
		return cmp.Or(cmp.Compare(a.Consumer, b.Consumer), cmp.Compare(a.Worker, b.Worker))
	})
	result := make([]Lane, 0, len(list))
	for _, lane := range list {
		lane.Bars = slices.DeleteFunc(lane.Bars, func(b StateBar) bool { return b.To <= b.From })
		result = append(result, *lane)
	}
	return result
}

// enter ends the state before, and lasts to the end until another state follows.
func (l *Lane) enter(state State, at, end float64) {
	if n := len(l.Bars); n > 0 {
		l.Bars[n-1].To = at
	}
	l.Bars = append(l.Bars, StateBar{From: at, To: max(end, at), State: state})
}

// consumersMatter says whether more happened than that one consumer started, ran and stopped.
func consumersMatter(events []Event) bool {
	for _, e := range events {
		if e.Kind != EventConsumer {
			continue
		}
		calm := e.State == StateStarting || e.State == StateHealthy || e.State == StateStopped
		if e.Consumer > 0 || !calm {
			return true
		}
	}
	return false
}

// who names a worker or consumer, no longer than it takes to say which: in a run with one consumer
// "worker 1"; in one with several "c1 worker 0", and "consumer 1" for all of it.
func who(consumer, worker int, several bool) string {
	switch {
	case worker == NoWorker:
		return fmt.Sprintf("consumer %d", consumer)
	case several:
		return fmt.Sprintf("c%d worker %d", consumer, worker)
	}
	return fmt.Sprintf("worker %d", worker)
}
