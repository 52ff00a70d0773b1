package ledger

import (
	"cmp"
	"slices"
	"time"
)

// fellSilent tells whether the load itself left a part of a trace without a span for so long that it is
// flushed before what belongs to it comes: its parts are what hangs together of what was sent so far,
// and a span that comes belongs to that of its parent and those of its children. in must be locked.
func (l *Ledger) fellSilent(root uint64) bool {
	if l.Silence <= 0 || l.RootSilence <= 0 {
		return false
	}
	size := l.recipe.Size(root)
	order := make([]int, 0, size)
	for place := range size {
		if l.sent.has(root + uint64(place)) {
			order = append(order, place)
		}
	}
	due := func(place int) time.Duration { return l.due.of(root + uint64(place)) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(due(a), due(b)) })
	// A part is named by one of its places, also that of a parent that has not come yet; up leads there.
	up, last, rooted := make([]int, size), make([]time.Duration, size), make([]bool, size)
	for place := range up {
		up[place], last[place] = place, -1
	}
	for _, place := range order {
		now := due(place)
		part := find(up, place)
		if l.overdue(now, last[part], rooted[part]) {
			return true
		}
		if place > 0 {
			of := find(up, l.recipe.Parent(root, place))
			if l.overdue(now, last[of], rooted[of]) {
				return true
			}
			up[part] = of
			part = of
		} else {
			rooted[part] = true
		}
		last[part] = now
	}
	return false
}

// overdue tells whether a part whose last span came then may be flushed by now; -1: none came.
func (l *Ledger) overdue(now, last time.Duration, rooted bool) bool {
	if rooted {
		return last >= 0 && now-last >= l.RootSilence
	}
	return last >= 0 && now-last >= l.Silence
}

// find returns the name of a place's part, and shortens the way to it.
func find(up []int, place int) int {
	for up[place] != place {
		up[place] = up[up[place]]
		place = up[place]
	}
	return place
}
