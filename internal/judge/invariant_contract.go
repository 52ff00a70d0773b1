package judge

import "sluice/reports"

// contract: who uses the store does what it owes it, call by call (see buffer.Store): a worker claims
// what it leased, loads what it claimed, acknowledges what it loaded, releases what is flushed or gone,
// and holds nothing when it has ended in good order; a batch is no larger than it may be, has numbers
// of its own, and none is begun while its input is paused; and no owner has the epoch that the one
// before it may take for its own. Much of this can be broken for long before anything comes out wrong.
var contract = invariant{"store contract", ExitSafety, judgeContract, nil}

func judgeContract(e *Evidence) (reports.Verdict, string) {
	if why, not := e.Unmeasured[StoreCalls]; not {
		return reports.NotMeasured, why
	}
	if e.Breaches.Count > 0 {
		return violated("%v", e.Breaches)
	}
	return passed("no call of a consumer or a worker was against it")
}
