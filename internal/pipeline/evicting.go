package pipeline

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/buffer/redisstore"
)

// evictingEvery is how often the Redis nodes are asked what they do when they are full, which is how long spans
// may be at risk before it is said. It costs each node one INFO.
const evictingEvery = 5 * time.Second

// evicting is what is known of Redis nodes that throw spans away when they are full, in words. The start refuses
// them; but later another node takes over that nobody has asked, or somebody changes what one is set to. Spans that
// are gone are missed by nobody: whoever claims their segment takes it for flushed.
type evicting struct {
	mu    sync.Mutex
	words map[string]string // by address
}

// learn notes what all nodes do, and returns what of it was not known. Of one that could not be asked is true what
// was. One that is not among them has gone.
func (e *evicting) learn(nodes []redisstore.NodeEviction) (fresh []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	words := make(map[string]string)
	for _, node := range nodes {
		said, before := node.Words, e.words[node.Node]
		if node.Err != nil {
			said = before
		}
		if said == "" {
			continue
		}
		words[node.Node] = said
		if said != before {
			fresh = append(fresh, said)
		}
	}
	e.words = words
	return fresh
}

func (e *evicting) known() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Values(e.words))
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
	nodes, err := p.store.Evictions(ctx)
	if err != nil {
		return
	}
	for _, words := range p.evicting.learn(nodes) {
		p.log.Error(words)
	}
}
