package reports

import "slices"

// FaultBar is a fault and how long its direct effect lasted.
type FaultBar struct {
	From, To float64
	// Open is true if the fault never ended: To is the end of the run then.
	Open bool
	// Consumer and Worker that it hit; NoWorker if it hit a server, the network or a whole consumer.
	Consumer, Worker int
	// Fault is its text, How what was done.
	Fault, How string
}

// FaultsOf returns the faults that were injected, in the order in which they began.
func FaultsOf(events []Event) []FaultSummary {
	end := 0.0
	for _, e := range events {
		end = max(end, e.T)
	}
	list := []FaultSummary{}
	for _, bar := range faultBars(events, end) {
		list = append(list, FaultSummary{Fault: bar.Fault, Worker: bar.Worker, From: bar.From,
			To: bar.To, Injected: true})
	}
	return list
}

// faultBars pairs begins with ends. A repeated fault has the same text each time, so an end belongs
// to the oldest of them that has none yet.
func faultBars(events []Event, end float64) []FaultBar {
	var bars []FaultBar
	for _, e := range events {
		switch e.Kind {
		case EventFaultBegin:
			bars = append(bars, FaultBar{From: e.T, To: end, Open: true, Consumer: e.Consumer,
				Worker: e.Worker, Fault: e.Fault, How: e.Text})
		case EventFaultEnd:
			if i := slices.IndexFunc(bars, func(b FaultBar) bool { return b.endedBy(e) }); i >= 0 {
				bars[i].To, bars[i].Open = e.T, false
			}
		}
	}
	return bars
}

// endedBy says whether an event ends the fault: one text can hit several workers at once.
func (b FaultBar) endedBy(e Event) bool {
	return b.Open && b.Fault == e.Fault && b.Worker == e.Worker && b.Consumer == e.Consumer
}
