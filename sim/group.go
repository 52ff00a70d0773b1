package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/flusher"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// group is the consumer group of the input topic: cooperative and sticky, with static members.
type group struct {
	*kafka
	members   []*member // in the order in which they joined
	committed []int64   // by partition: the offset behind it
	owners    []*member // by partition; nil for none
	// tell tells of a commit that should not have been made.
	tell func(string)
}

// member is a client in the group. It is a flusher.Source.
type member struct {
	*group
	conns   []*conn // by broker
	process *kernel.Process
	cpu     *processor // which computes that much for what a request brings; nil if it is nothing
	perPoll time.Duration
	doing   *doing
	static  string    // the instance id; "" for a dynamic member
	silent  time.Time // since when it is not heard of; zero while it is
	gone    bool      // the group has given it up
	lost    bool      // because it fell silent: it joins again when it hears of that, and is silent until then
	// By partition: whether it is to give it back, whether it has and the group has yet to hear of that, what it
	// reads next, whether it is paused, and how often it was given to it.
	wanted []bool
	freed  []bool
	next   []int64
	paused []bool
	given  []int
	news   flusher.Fetch // changes that it has not heard of
}

var _ flusher.Source = (*member)(nil)

func newGroup(b *kafka, partitions int) *group {
	g := &group{kafka: b, committed: make([]int64, partitions), owners: make([]*member, partitions)}
	g.tell = func(what string) { b.sink.Breach(b.k.Now(), what) }
	b.k.Go("group coordinator", g.watch)
	return g
}

// watchEvery is how often the coordinator looks for members that fell silent.
const watchEvery = 100 * time.Millisecond

func (g *group) watch() {
	for g.k.Sleep(context.Background(), watchEvery) == nil {
		for _, m := range slices.Clone(g.members) {
			switch now := g.k.Now(); {
			case !g.runs():
				m.silent = time.Time{} // nobody counts, and then everybody's session begins again
			case g.up() && !m.process.Dead() && !m.process.Frozen():
				m.silent = time.Time{} // a client whose heartbeat is not answered sends no other
				m.giveBack()
			case m.silent.IsZero():
				m.silent = now
			case now.Sub(m.silent) >= g.costs.Session:
				g.leave(m, true)
			}
		}
	}
}

// join adds a member. A static one that comes again takes over what it had at once.
func (g *group) join(p *kernel.Process, static string) *member {
	n := len(g.owners)
	m := &member{group: g, conns: g.connect(), process: p, static: static, wanted: make([]bool, n),
		freed: make([]bool, n), next: make([]int64, n), paused: make([]bool, n), given: make([]int, n)}
	for at, old := range g.members {
		if static == "" || old.static != static {
			continue
		}
		old.gone = true
		g.members[at] = m
		for partition, owner := range g.owners {
			if owner == old {
				g.give(int32(partition), m)
			}
		}
		g.balance() // what it was to give back, and with its process has forgotten
		return m
	}
	g.members = append(g.members, m)
	g.balance()
	return m
}

// leave takes a member out. Lost ones hear of it when they come back, and join again.
func (g *group) leave(m *member, lost bool) {
	m.gone, m.lost = true, lost
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
	for partition, owner := range g.owners {
		if owner == m {
			g.owners[partition] = nil
			if !m.takeBack(int32(partition)) && lost && !m.freed[partition] {
				m.news.Lost = append(m.news.Lost, int32(partition))
			}
		}
	}
	g.balance()
}

// takeBack takes back a partition that was given to a member which has not heard of it: it never had it.
func (m *member) takeBack(partition int32) bool {
	at := slices.Index(m.news.Assigned, partition)
	if at >= 0 {
		m.news.Assigned = slices.Delete(m.news.Assigned, at, at+1)
	}
	return at >= 0
}

// again joins a member that was lost: what it is given comes after the news of what it has lost.
func (m *member) again() {
	m.gone, m.lost, m.silent = false, false, time.Time{}
	clear(m.wanted)
	clear(m.freed)
	m.members = append(m.members, m)
	m.balance()
}

// give makes a member the owner of a partition.
func (g *group) give(partition int32, m *member) {
	g.owners[partition] = m
	m.next[partition] = g.committed[partition]
	if m.next[partition] == 0 { // nothing is committed
		m.next[partition] = g.input[partition].first
	}
	m.paused[partition] = false
	m.given[partition]++
	m.news.Assigned = append(m.news.Assigned, partition)
	g.come.Broadcast()
}

// balance gives free partitions to those who have the fewest, and asks those who have too many for
// the last of theirs: it is given on when nothing of it is in work any more.
func (g *group) balance() {
	if len(g.members) == 0 {
		return
	}
	has := map[*member][]int32{}
	for partition, owner := range g.owners {
		if owner != nil && !owner.wanted[int32(partition)] {
			has[owner] = append(has[owner], int32(partition))
		}
	}
	quota := func(at int) int {
		n := len(g.owners) / len(g.members)
		if at < len(g.owners)%len(g.members) {
			n++
		}
		return n
	}
	for at, m := range g.members {
		for list := has[m]; len(list) > quota(at); list = list[:len(list)-1] {
			partition := list[len(list)-1]
			if m.takeBack(partition) {
				g.owners[partition] = nil
			} else {
				m.wanted[partition] = true
				m.news.Revoked = append(m.news.Revoked, partition)
			}
			has[m] = list[:len(list)-1]
		}
	}
	for partition, owner := range g.owners {
		if owner != nil {
			continue
		}
		for at, m := range g.members {
			if len(has[m]) < quota(at) {
				has[m] = append(has[m], int32(partition))
				g.give(int32(partition), m)
				break
			}
		}
	}
	g.come.Broadcast()
}

// Poll implements flusher.Source.
func (m *member) Poll(ctx context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	m.doing.tell(scenarios.CallPoll)
	until := m.k.Now().Add(wait)
	for {
		if err := ctx.Err(); err != nil {
			return flusher.Fetch{}, err
		}
		var fetch flusher.Fetch
		if m.up() { // the coordinator's news come the way that its answers do
			fetch, m.news = m.news, flusher.Fetch{}
		}
		if m.lost && m.up() {
			m.again()
			return fetch, nil // messages come behind the news of what it is given
		}
		if fetch.InTouch = m.inTouch() && !m.gone; fetch.InTouch {
			fetch.Silent = m.unheard()
		}
		if !m.gone {
			m.fetch(&fetch, limit)
		}
		if len(fetch.Batches) > 0 {
			m.requests.Fetched++
			m.burn(m.costs.Request)
			m.travel(ctx, &fetch)
		}
		left := until.Sub(m.k.Now())
		if left <= 0 || len(fetch.Batches)+len(fetch.Assigned)+len(fetch.Revoked)+len(fetch.Lost) > 0 {
			if len(fetch.Batches) > 0 && m.cpu != nil {
				m.cpu.compute(m.perPoll)
			}
			return fetch, nil
		}
		_ = m.come.WaitFor(ctx, left) // the loop looks why it has ended
	}
}

// travel returns when the answers with messages have come. What does not come is read again.
func (m *member) travel(ctx context.Context, fetch *flusher.Fetch) {
	for _, conn := range m.conns { // one after the other
		bytes := -1
		for _, b := range fetch.Batches {
			if m.of(b.Partition) != conn.link {
				continue
			}
			bytes = max(bytes, 0)
			for i := range b.Messages {
				bytes += len(b.Messages[i].Key) + len(b.Messages[i].Value)
			}
		}
		if bytes >= 0 && !conn.cross(ctx, answers, bytes, m.costs.Fetch+2*conn.hop) {
			m.unread(fetch, conn.link)
		}
	}
}

// unread takes out of a fetch what was on its way from a broker: the member has read none of it.
func (m *member) unread(fetch *flusher.Fetch, from *link) {
	fetch.Batches = slices.DeleteFunc(fetch.Batches, func(b flusher.Batch) bool {
		is := m.of(b.Partition) == from
		if is {
			m.next[b.Partition] = b.Messages[0].Position.Offset
		}
		return is
	})
	fetch.Gaps = slices.DeleteFunc(fetch.Gaps, func(gap flusher.Gap) bool {
		is := m.of(gap.Partition) == from
		if is {
			m.next[gap.Partition] = gap.From
		}
		return is
	})
}

// inTouch tells whether some broker answers: one that does not may have left for good.
func (b *kafka) inTouch() bool { return slices.ContainsFunc(b.brokers, (*link).up) }

// unheard returns the member's partitions whose broker does not answer, or that no broker leads.
func (m *member) unheard() []int32 {
	var list []int32
	for p, owner := range m.owners {
		if owner == m && !m.freed[p] && !m.open(int32(p)) {
			list = append(list, int32(p))
		}
	}
	return list
}

// fetch takes what has come of the partitions that are not paused, and what is missing before it.
func (m *member) fetch(into *flusher.Fetch, limit int) {
	news := 0
	for p := range m.owners {
		if m.has(int32(p)) {
			news++
		}
	}
	if news == 0 {
		return
	}
	into.Batches = make([]flusher.Batch, 0, news)
	for number := range m.owners {
		p := int32(number)
		if !m.has(p) {
			continue
		}
		if first := m.input[p].first; first > m.next[p] {
			into.Gaps = append(into.Gaps, flusher.Gap{Partition: p, From: m.next[p], To: first})
			m.next[p] = first
		}
		messages := m.input[p].from(m.next[p], limit)
		into.Batches = append(into.Batches, flusher.Batch{Partition: p, Messages: messages})
		m.next[p] += int64(len(messages))
	}
}

// has tells whether something has come of a partition that the member may read.
func (m *member) has(p int32) bool {
	return m.owners[p] == m && !m.paused[p] && !m.wanted[p] && m.open(p) &&
		!slices.Contains(m.news.Assigned, p) && // it hears of that first, and the coordinator may be away
		max(m.next[p], m.input[p].first) < m.input[p].end()
}

// Pause implements flusher.Source.
func (m *member) Pause(partitions ...int32) {
	for _, p := range partitions {
		m.paused[p] = true
	}
}

// Resume implements flusher.Source.
func (m *member) Resume(partitions ...int32) {
	for _, p := range partitions {
		m.paused[p] = false
	}
	m.come.Broadcast()
}

// commitMax is how long a commit may take.
const commitMax = 10 * time.Second

// Commit implements flusher.Source.
func (m *member) Commit(ctx context.Context, last []flusher.Message) error {
	m.doing.enter(scenarios.CallCommit)
	defer m.doing.leave(scenarios.CallCommit)
	var failed error
	m.requests.Committed++
	given := slices.Clone(m.given)
	err := m.conns[0].ask(ctx, commitMax, m.costs.Request, small, func() (int, time.Duration) {
		for _, message := range last {
			p := message.Position.Partition
			if m.owners[p] != m || m.given[p] != given[p] { // it comes from before the partition went and came back
				failed = fmt.Errorf("commit partition %d: %w", p, errNotMember)
				continue
			}
			m.commit(p, message.Position.Offset+1)
		}
		return small, 0
	})
	if err == nil {
		err = failed
	}
	return err
}

// commit commits a partition up to an offset. Kafka stores what it is given, also what lies before: whoever
// reads on from there stores again what is out by then. The model tells of that, and goes on from the greatest.
func (m *member) commit(p int32, next int64) {
	if next < m.committed[p] {
		m.tell(fmt.Sprintf("%v commits partition %d up to offset %d, which is committed up to %d", m.process, p, next,
			m.committed[p]))
	}
	m.committed[p] = max(m.committed[p], next)
	m.input[p].forget(m.committed[p])
	m.k.Note("commit", int64(p), m.committed[p])
}

// Released implements flusher.Source. The group hears of it when the member can tell it.
func (m *member) Released(partitions ...int32) {
	if !m.k.Alive() {
		return
	}
	for _, p := range partitions {
		m.freed[p] = true
	}
	if m.up() && !m.gone {
		m.giveBack()
	}
}

// giveBack has the group hear of what its member has let go of.
func (m *member) giveBack() {
	if !slices.Contains(m.freed, true) {
		return
	}
	for p, freed := range m.freed {
		if !freed {
			continue
		}
		m.freed[p], m.wanted[p] = false, false
		if m.owners[p] == m {
			m.owners[p] = nil
		}
	}
	m.balance()
}
