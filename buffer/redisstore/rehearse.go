package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// rehearsals is what follows the namespace in the keys of a rehearsal, and rehearsalMax how long they
// live if the program ends in the middle of it.
const (
	rehearsals   = "check:"
	rehearsalMax = time.Minute
)

// Rehearse takes a segment of one span through all steps, once as a trace that is a hash and once as a
// small one, under keys of its own in the namespace, and removes them: so a server that only looks as if it would do is found at the start, and not with the
// first span. A Redis that is full is none of these: flushing makes room. The error says what would
// be right.
func (s *Store) Rehearse(ctx context.Context) (err error) {
	r := s.Fork(s.config.Namespace+rehearsals+strings.ToLower(rand.Text())+":", s.config.MaxSegmentBytes)
	trace := buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.AnswerTimeout)
		defer cancel()
		keys := append(slices.Clone(r.shardKeys(0)), r.traceKey(trace))
		var faults []error
		for _, key := range keys { // of several slots
			faults = append(faults, r.client.Do(ctx, r.client.B().Del().Key(key).Build()).Error())
		}
		if err2 := errors.Join(faults...); err == nil && err2 != nil {
			err = fmt.Errorf("delete what a check has written: %w", classify(ctx, err2))
		}
		if err != nil {
			err = fmt.Errorf("redis %s: %w%s", strings.Join(s.config.Addresses, ","), err, s.advice(err))
		}
	}()
	if err := r.cycle(ctx, trace); err != nil {
		return err
	}
	r.small = 0
	return r.cycle(ctx, trace)
}

// passing gives keys a time to live. What is not there is left out.
func (s *Store) passing(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		expire := s.client.B().Expire().Key(key).Seconds(int64(rehearsalMax.Seconds())).Build()
		if err := s.client.Do(ctx, expire).Error(); err != nil {
			return classify(ctx, err)
		}
	}
	return nil
}

// cycle does every step once.
func (s *Store) cycle(ctx context.Context, trace buffer.TraceKey) error {
	const one = 1 // second, as the clock of everything
	root := buffer.Span{
		TraceKey: trace, ID: buffer.SpanID{1}, Root: true, Payload: []byte("{}"), Size: 2,
	}
	traces, _ := buffer.Group([]buffer.Span{root})
	attached, err := s.Attach(ctx, buffer.Delivery{Clock: buffer.Seconds(one)}, traces)
	if errors.Is(err, buffer.ErrFull) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.passing(ctx, s.traceKey(trace)); err != nil {
		return err
	}
	g := attached[0].Live[0].Generation
	names := []buffer.Generation{g}
	err = s.Enqueue(ctx, 0, buffer.QueueUpdate{
		Clock: buffer.Seconds(one), Wall: buffer.Seconds(one),
		Due: []buffer.Due{{Generation: g, Deadline: buffer.Seconds(one)}},
	})
	if err != nil {
		return err
	}
	if err := s.passing(ctx, s.shardKeys(0)...); err != nil {
		return err
	}
	fenced, err := s.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		return err
	}
	leased, err := s.Lease(ctx, fenced.Owner, buffer.Seconds(one), 1)
	if err != nil {
		return err
	}
	if err := s.passing(ctx, s.shardKeys(0)...); err != nil {
		return err // the leased are a key of their own
	}
	if len(leased.Due) != 1 {
		return errors.New("a segment that was stored for a check and is due is not handed out: is this a " +
			"Redis, and does nobody else write under the namespace?")
	}
	claims, err := s.Claim(ctx, fenced.Owner, names)
	if err != nil {
		return err
	}
	if _, err = s.Sweep(ctx, "", 1); err != nil {
		return err
	}
	loaded, err := s.Load(ctx, fenced.Owner, names)
	if err != nil {
		return err
	}
	if len(loaded) != 1 || len(loaded[0].Spans) != 1 || string(loaded[0].Spans[0].Payload) != "{}" {
		return errors.New("what was written for a check reads back as something else")
	}
	flushed := []buffer.Flushed{{
		Generation: g, Spans: []buffer.SpanID{root.ID}, Along: claims[0].Loaded != nil,
	}}
	if _, err = s.Ack(ctx, fenced.Owner, flushed); err != nil {
		return err
	}
	return s.Release(ctx, fenced.Owner, buffer.Release{Done: names})
}

// advice says what would be right, where Redis' words are known.
func (s *Store) advice(err error) string {
	text := err.Error()
	if refuses(text) {
		return "; " + s.rights()
	}
	const slots = "not every slot has a node that serves it: see CLUSTER INFO on any node"
	const missing = "the store needs this command: it is renamed or disabled"
	for _, known := range []struct{ words, advice string }{
		{"READONLY", "it is a replica, which takes no writes: give the address of its primary"},
		{"CLUSTERDOWN", slots},
		{rueidis.ErrNoSlot.Error(), slots},
		{"unknown command", missing},
		{"Unknown Redis command called from script", missing},
	} {
		if strings.Contains(text, known.words) {
			return "; " + known.advice
		}
	}
	return ""
}

func (s *Store) rights() string {
	return fmt.Sprintf("the user needs +@read +@write +@scripting +@connection and +info or +config|get, "+
		"on keys ~%s*", s.config.Namespace)
}
