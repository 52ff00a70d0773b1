package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

const (
	// markerStem is what follows the namespace in the keys of markers.
	markerStem = "{m:"
	// silentMax is after which silence a marker forgets a witness, unless that beats once while the one
	// whose clock says so beats doubtBeats times.
	silentMax  = 24 * time.Hour
	doubtBeats = 100
	// thereFor is for how long a witness that was heard of counts as one that is there.
	thereFor = 10 * time.Second
	// layoutAge is for how long it is believed which node has which slots.
	layoutAge = 10 * time.Second
)

// markers are the keys at which beats are counted: one in a slot of each node, since each node can
// lose its data alone.
type markers struct {
	mu    sync.Mutex
	asked time.Time // when the layout was
	list  []marker
}

type marker struct{ key, node string }

func (s *Store) marker(n int) string {
	return s.config.Namespace + markerStem + strconv.Itoa(n) + "}"
}

// Beat implements buffer.Auditor.
func (s *Store) Beat(ctx context.Context, witness uint64) ([]buffer.Pulse, error) {
	list, err := s.layout(ctx)
	if err != nil {
		return nil, fmt.Errorf("beat: %w", err)
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	calls := make([]call, len(list))
	for i, m := range list {
		calls[i] = call{keys: []string{m.key}, args: []string{strconv.FormatUint(witness, 16), now,
			strconv.FormatInt(int64(silentMax.Seconds()), 10), strconv.Itoa(doubtBeats),
			strconv.FormatInt(int64(thereFor.Seconds()), 10), strconv.Itoa(buffer.WitnessesEvery)}}
	}
	var pulses []buffer.Pulse
	var faults []error
	for i, result := range s.eval(ctx, s.scripts.beat, calls) {
		pulse, err := readBeat(&result)
		if err != nil {
			faults = append(faults, fmt.Errorf("beat on redis %s: %w", list[i].node, classify(ctx, err)))
			continue
		}
		pulse.Marker, pulse.Node = list[i].key, list[i].node
		pulses = append(pulses, pulse)
	}
	if len(faults) > 0 {
		s.markers.forget() // another node may have the slot now
	}
	return pulses, errors.Join(faults...)
}

// readBeat reads the answer of beat.lua.
func readBeat(answer *rueidis.RedisResult) (p buffer.Pulse, err error) {
	parts, err := answer.ToArray()
	if err != nil {
		return p, err
	}
	if len(parts) != 3 {
		return p, fmt.Errorf("%d values, want beats, server and witnesses", len(parts))
	}
	beats, err1 := parts[0].AsUint64()
	server, err2 := parts[1].ToString()
	witnesses, err3 := parts[2].AsInt64()
	return buffer.Pulse{Beats: beats, Server: server, Witnesses: int(witnesses)}, errors.Join(err1, err2, err3)
}

func (m *markers) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = time.Time{}
}

// layout returns a marker for each node.
func (s *Store) layout(ctx context.Context) ([]marker, error) {
	if !s.cluster {
		return []marker{{s.marker(0), strings.Join(s.config.Addresses, ",")}}, nil
	}
	s.markers.mu.Lock()
	list, age := s.markers.list, time.Since(s.markers.asked)
	s.markers.mu.Unlock()
	if age < layoutAge {
		return list, nil
	}
	list, err := s.askLayout(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask which node has which slots: %w", err)
	}
	s.markers.mu.Lock()
	defer s.markers.mu.Unlock()
	s.markers.list, s.markers.asked = list, time.Now()
	return list, nil
}

// Homes returns which node holds a trace, by its address, as the slots are now; "" if no node serves its
// slot. It may be called when the store is closed.
func (s *Store) Homes(ctx context.Context) (func(buffer.TraceKey) string, error) {
	if !s.cluster {
		address := strings.Join(s.config.Addresses, ",")
		return func(buffer.TraceKey) string { return address }, nil
	}
	owners, err := slotOwners(ctx, s.client)
	if err != nil {
		return nil, fmt.Errorf("ask which node has which slots: %w", err)
	}
	return func(trace buffer.TraceKey) string { return owners[s.slot(s.traceKey(trace))] }, nil
}

// slot returns the slot of a key.
func (s *Store) slot(key string) uint16 {
	ask := s.client.B().Hlen().Key(key).Build() // never sent: it knows the slot
	return ask.Slot()
}

// askLayout finds for each node that has slots the first marker that is in one of them.
func (s *Store) askLayout(ctx context.Context) ([]marker, error) {
	owners, err := slotOwners(ctx, s.client)
	if err != nil {
		return nil, err
	}
	without := make(map[string]bool) // nodes that have no marker yet
	for _, node := range owners {
		without[node] = true
	}
	var list []marker
	for n := 0; len(without) > 0 && n < markersMax; n++ {
		key := s.marker(n)
		node := owners[s.slot(key)]
		if without[node] {
			delete(without, node)
			list = append(list, marker{key, node})
		}
	}
	return list, nil
}

// markersMax is how many are tried: some for each slot.
const markersMax = 1 << 16

// readSlots reads a range of slots and the address of its primary, which may lack the host.
func readSlots(part *rueidis.RedisMessage) (from, to int64, node string, err error) {
	fields, err := part.ToArray()
	if err != nil || len(fields) < 3 {
		return 0, 0, "", errors.Join(err, fmt.Errorf("a range of slots has %d fields", len(fields)))
	}
	primary, err := fields[2].ToArray()
	if err != nil || len(primary) < 2 {
		return 0, 0, "", errors.Join(err, fmt.Errorf("a node has %d fields", len(primary)))
	}
	from, err1 := fields[0].AsInt64()
	to, err2 := fields[1].AsInt64()
	host, err3 := primary[0].ToString()
	if rueidis.IsRedisNil(err3) {
		err3 = nil // the client is to know by which address it reaches its nodes
	}
	port, err4 := primary[1].AsInt64()
	return from, min(to, math.MaxUint16), net.JoinHostPort(host, strconv.FormatInt(port, 10)),
		errors.Join(err1, err2, err3, err4)
}
