package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"
)

// evictingEvery is how often the Redis nodes are asked what they do when they are full, which is how long spans
// may be at risk before it is said. It costs each node one INFO.
const evictingEvery = 5 * time.Second

// evicting is what is known of Redis nodes that throw spans away when they are full, in words. The start refuses
// them; but later another node takes over that nobody has asked, or somebody changes what one is set to. Spans that
// are gone are missed by nobody: whoever claims their segment takes it for flushed.
type evicting struct {
	mu    sync.Mutex
	words []string
}

// learn notes what was found, and returns what of it was not known. Of nodes that did not answer, so that not all
// is found, is true what was.
func (e *evicting) learn(found []string, all bool) (fresh []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, words := range found {
		if !slices.Contains(e.words, words) {
			fresh = append(fresh, words)
		}
	}
	if all {
		e.words = found
	} else {
		e.words = slices.Concat(e.words, fresh)
	}
	return fresh
}

func (e *evicting) known() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.words)
}

// watchEvicting asks until the context ends.
func (p *Pipeline) watchEvicting(ctx context.Context) {
	ticker := time.NewTicker(evictingEvery)
	defer ticker.Stop()
	for {
		p.askEvicting(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// askEvicting asks once, and logs what is new. That nodes do not answer is said by whoever needs them more.
func (p *Pipeline) askEvicting(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, evictingEvery)
	defer cancel()
	found, err := p.store.Evicting(ctx)
	for _, words := range p.evicting.learn(found, err == nil) {
		p.log.Error(words)
	}
}
