package harness

import "sluice/internal/judge"

// WallSlacks are those of the wall clock: what a loaded machine can draw out, and what the system
// says of itself only so often.
func WallSlacks() judge.Slacks {
	return judge.Slacks{
		Gate:     2, // some turns of the supervisor
		Handover: 3,
		// The group waits 6 s for a member that fell silent (see run.config); then all is started.
		Uncovered: 20,
		Silence:   1,
		Orphan:    5,
		Behind:    5,
	}
}
