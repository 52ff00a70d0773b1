package kafkaio

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// lookEvery is how often a source looks for its topic, and lookSoon how often while something is
	// wrong: before what was seen counts as past.
	lookEvery = 5 * time.Second
	lookSoon  = time.Second
	// lookMax bounds a look.
	lookMax = time.Second
	// wrongAfter is for how long a topic must be another one, or nothing be fetched, until it counts:
	// brokers hear of a new topic one after the other, and a new member waits for its first fetch.
	wrongAfter = 3 * time.Second
	// unknownAfter is the same of brokers that do not know the id of a topic that is there.
	unknownAfter = 5 * time.Second
)

// watch looks for the topic until the source is closed. The client says nothing of some things: it
// looks for ever for offsets of a topic that was deleted, and reads one that took its place as if it
// were the same.
type watch struct {
	id      kadm.TopicID // of the topic when it was first seen; zero: not yet, or brokers before 2.8
	gone    time.Time    // since when there is none of that name
	other   time.Time    // since when one of that name has another id
	starved time.Time    // since when it should be fetched and is not
	missed  time.Time    // since when a partition of it is not asked for that should be
}

func (s *Source) watch(ctx context.Context) {
	admin := kadm.NewClient(s.client)
	var w watch
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		bounded, cancel := context.WithTimeout(ctx, lookMax)
		topics, err := admin.ListTopics(bounded, s.cfg.Topic)
		cancel()
		if ctx.Err() != nil {
			return
		}
		s.judgeTopic(&w, topics, err, time.Now())
		wait = lookEvery
		if len(s.troubles.All()) > 0 || w != (watch{id: w.id}) {
			wait = lookSoon
		}
	}
}

// judgeTopic notes in the register what is wrong with the topic, and ends the source if it was deleted
// and created again: what was read of the other, and not yet committed, is gone, and its offsets mean
// nothing in this one.
func (s *Source) judgeTopic(w *watch, topics kadm.TopicDetails, err error, now time.Time) {
	topic, there := topics[s.cfg.Topic], topics.Has(s.cfg.Topic)
	if w.id == (kadm.TopicID{}) {
		w.id = topic.ID
	}
	since(&w.starved, !s.touch.well() && s.assignment.wanted(), now)
	if err == nil {
		since(&w.gone, !there, now)
		since(&w.other, there && topic.ID != w.id && topic.ID != kadm.TopicID{}, now)
	}
	missed, why := s.missed()
	since(&w.missed, why != "", now)
	lasts := func(began time.Time) bool { return !began.IsZero() && now.Sub(began) >= wrongAfter }
	again := fmt.Errorf("topic %s was deleted and created again, with %d partitions: it is read from its "+
		"start after another start of the program", s.cfg.Topic, len(topic.Partitions))
	fails := func(err error) { s.troubles.Fails(finding, "fetch", err) }
	switch {
	case lasts(w.other), there && s.idUnknownFor(now) >= unknownAfter: // or the client knew another before
		s.ended.Store(&again)
		fails(again)
	case !w.other.IsZero():
		fails(again)
	case lasts(w.gone):
		fails(fmt.Errorf("topic %s: %w", s.cfg.Topic, kerr.UnknownTopicOrPartition))
	case lasts(w.starved) && err != nil:
		fails(fmt.Errorf("nothing is fetched, and what topics there are is not answered: %w", err))
	case lasts(w.starved):
		fails(fmt.Errorf("topic %s is there, but no broker answers a fetch of it", s.cfg.Topic))
	case lasts(w.missed):
		fails(fmt.Errorf("partition %d of topic %s is not fetched: %s", missed, s.cfg.Topic, why))
	case err == nil:
		s.troubles.Works(finding)
	}
}

// missed returns a partition of which nothing is heard, while others are, and why; no words if there is none. The
// client says nothing while it looks for the offset at which to begin, nor of a broker that takes it to be at
// another leader epoch, or that does not answer at all.
func (s *Source) missed() (number int32, why string) {
	for _, number := range s.assignment.wants() {
		broker, _, err := s.client.PartitionLeader(s.cfg.Topic, number)
		switch {
		case err != nil:
		case s.touch.missed(broker, number, wrongAfter):
			return number, "where to begin is not known"
		case s.touch.hangs(broker, number, wrongAfter):
			return number, fmt.Sprintf("its broker, %d, answers no fetch", broker)
		case s.isSilent(number) && s.touch.unanswered(broker, number, wrongAfter):
			return number, "its broker is asked for it, and says nothing: it may know another leader epoch"
		}
	}
	return 0, ""
}

// since keeps when a state began, and the zero time while it is off.
func since(began *time.Time, on bool, now time.Time) {
	switch {
	case !on:
		*began = time.Time{}
	case began.IsZero():
		*began = now
	}
}

// spell is from when to when something was seen, again and again.
type spell struct{ first, last time.Time }

// more returns the spell as of now. What was not seen for longer than a pause has begun anew.
func (s *spell) more(now time.Time, pause time.Duration) *spell {
	if s == nil || now.Sub(s.last) > pause {
		return &spell{now, now}
	}
	return &spell{s.first, now}
}

// idUnknownFor returns for how long brokers have not known the id by which the client fetches, as far as was
// seen: that one did not know it once, or a while ago, says nothing of now.
func (s *Source) idUnknownFor(now time.Time) time.Duration {
	if seen := s.unknown.Load(); seen != nil && now.Sub(seen.last) <= s.touch.failedMax {
		return seen.last.Sub(seen.first)
	}
	return 0
}
