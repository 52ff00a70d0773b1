package flusher

import (
	"errors"
	"fmt"
	"time"

	"sluice/internal/options"
)

// NoWindow is the budget window that never forgets a restart.
const NoWindow time.Duration = 0

// ErrBudget means that a worker failed once more after its last restart.
var ErrBudget = errors.New("restart budget is used up")

// Budget counts the restarts of one worker. With Max = B it allows exactly B restarts (in any
// Window), and the failure after the last of them is an error. No restart ever resets it.
type Budget struct {
	// Max is how many restarts are allowed; 0 allows none.
	Max int
	// Window is how long a restart counts. NoWindow means forever.
	Window time.Duration

	spent []time.Time // the restarts that count, oldest first
	total int
}

// Spend counts a failure before the restart that it asks for. It returns nil if the worker may be
// started again, and an error that wraps ErrBudget if the budget was used up before.
func (b *Budget) Spend(now time.Time) error {
	if b.Window != NoWindow {
		for len(b.spent) > 0 && now.Sub(b.spent[0]) >= b.Window {
			b.spent = b.spent[1:]
		}
	}
	if len(b.spent) >= b.Max {
		return fmt.Errorf("%w: %s", ErrBudget, b.allowance())
	}
	b.spent = append(b.spent, now)
	b.total++
	return nil
}

// Restarts returns how many restarts were allowed so far.
func (b *Budget) Restarts() int { return b.total }

func (b *Budget) allowance() string {
	text := fmt.Sprintf("%d of %s", len(b.spent), options.FormatCount(b.Max, "restart"))
	if b.Window == NoWindow {
		return text
	}
	return fmt.Sprintf("%s within %v", text, b.Window)
}
