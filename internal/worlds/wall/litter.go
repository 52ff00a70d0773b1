package wall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	clock "sluice/internal/wallclock"
)

// Litter is what a run has on servers that outlive it. It is litter once the run is over: one that
// was killed could remove nothing.
type Litter struct {
	Run      string    `json:"run"`
	Scenario string    `json:"scenario"`
	Began    time.Time `json:"began"`
	Topics   []string  `json:"topics"`
	Groups   []string  `json:"groups"`
	// Keys is how many keys Redis holds of it.
	Keys int `json:"keys"`
	// Alive says why the run counts as alive, in words; empty if it does not.
	Alive string `json:"alive,omitempty"`
}

// Shared are servers that outlive the runs on them.
type Shared struct {
	redis rueidis.Client
	kafka *kgo.Client
}

// OpenShared connects to servers at addresses, "host:port" each.
func OpenShared(redis, kafka []string, access Access) (*Shared, error) {
	r, err := access.DialRedis(redis)
	if err != nil {
		return nil, fmt.Errorf("redis %s: %w", strings.Join(redis, ","), err)
	}
	k, err := access.DialKafka(kafka)
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("kafka %s: %w", strings.Join(kafka, ","), err)
	}
	return &Shared{r, k}, nil
}

// Close closes the connections.
func (s *Shared) Close() {
	s.redis.Close()
	s.kafka.Close()
}

// HasLitter tells of which runs that are over there are topics. It does not look for keys, which
// would mean to ask for all that Redis holds.
func (s *Shared) HasLitter(ctx context.Context) ([]Litter, error) {
	found := map[string]*Litter{}
	if err := s.findTopics(ctx, found); err != nil {
		return nil, err
	}
	list, err := s.sorted(ctx, found)
	return slices.DeleteFunc(list, func(l Litter) bool { return l.Alive != "" }), err
}

// Litter returns what there is of every run, the oldest first, those included that are alive.
func (s *Shared) Litter(ctx context.Context) ([]Litter, error) {
	found := map[string]*Litter{}
	if err := s.findTopics(ctx, found); err != nil {
		return nil, err
	}
	groups, err := kadm.NewClient(s.kafka).ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the groups of kafka: %w", err)
	}
	for _, name := range groups.Groups() {
		if l, ok := at(found, name); ok && name == l.Run {
			l.Groups = append(l.Groups, name)
		}
	}
	err = eachKey(ctx, s.redis, Prefix+"*", func(keys []string) error {
		for _, key := range keys {
			if l, ok := at(found, key); ok && key != namesOf(l.Run).alive {
				l.Keys++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.sorted(ctx, found)
}

// at returns the run that something is named after.
func at(found map[string]*Litter, name string) (*Litter, bool) {
	run, ok := runOf(name)
	if !ok {
		return nil, false
	}
	if found[run.Run] == nil {
		found[run.Run] = &run
	}
	return found[run.Run], true
}

func (s *Shared) findTopics(ctx context.Context, found map[string]*Litter) error {
	topics, err := kadm.NewClient(s.kafka).ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list the topics of kafka: %w", err)
	}
	for _, name := range topics.Names() {
		if l, ok := at(found, name); ok && name != l.Run {
			l.Topics = append(l.Topics, name)
		}
	}
	return nil
}

// sorted adds which runs are alive.
func (s *Shared) sorted(ctx context.Context, found map[string]*Litter) ([]Litter, error) {
	var list []Litter
	for _, l := range found {
		var err error
		if l.Alive, err = s.alive(ctx, l.Run); err != nil {
			return nil, err
		}
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Litter) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Run, b.Run))
	})
	return list, nil
}

// alive says why a run counts as alive: it gives signs of life, or its group has members.
func (s *Shared) alive(ctx context.Context, run string) (string, error) {
	of := namesOf(run)
	sign, err := s.redis.Do(ctx, s.redis.B().Get().Key(of.alive).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", fmt.Errorf("read key %s: %w", of.alive, err)
	}
	if why := whyAlive(sign); err == nil && why != "" {
		return why, nil
	}
	groups, err := kadm.NewClient(s.kafka).DescribeGroups(ctx, of.group)
	if err != nil {
		return "", fmt.Errorf("look who is in group %s: %w", of.group, err)
	}
	if n := len(groups[of.group].Members); n > 0 {
		return fmt.Sprintf("its group has members, %d; killed ones are out after %v", n, sessionTimeout),
			nil
	}
	return "", nil
}

// Remove removes what runs left, unless one counts as alive by now: then nothing of it.
func (s *Shared) Remove(ctx context.Context, list []Litter) error {
	over := map[string]bool{}
	var errs []error
	for _, l := range list {
		why, err := s.alive(ctx, l.Run)
		if err == nil && why != "" {
			err = fmt.Errorf("%s is alive: %s", l.Run, why)
		}
		errs = append(errs, err)
		over[l.Run] = err == nil
	}
	// The topics go last: they are what tells that something is left.
	errs = append(errs, removeKeys(ctx, s.redis, Prefix+"*", func(key string) bool {
		run, ok := runOf(key)
		return ok && over[run.Run]
	}))
	for _, l := range list {
		if over[l.Run] {
			errs = append(errs, removeTopics(ctx, s.kafka, l.Run, l.Topics...))
		}
	}
	return errors.Join(errs...)
}

// eachKey hands out all keys that match a pattern, a page at a time. Only masters are asked: their
// replicas hold the same.
func eachKey(
	ctx context.Context, redis rueidis.Client, pattern string, do func(keys []string) error,
) error {
	nodes := redis.Nodes()
	for _, address := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[address]
		role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
		if err == nil && len(role) > 0 {
			if name, _ := role[0].ToString(); name == "slave" {
				continue
			}
		}
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(pattern).Count(1000).
				Build()).AsScanEntry()
			if err == nil {
				err = do(page.Elements)
			}
			if err != nil {
				return fmt.Errorf("go through the keys of redis %s: %w", address, err)
			}
			cursor = page.Cursor
		}
	}
	return nil
}

func everything(string) bool { return true }

// removeKeys deletes the keys that match a pattern and are wanted.
func removeKeys(
	ctx context.Context, redis rueidis.Client, pattern string, wanted func(key string) bool,
) error {
	return eachKey(ctx, redis, pattern, func(keys []string) error {
		var deletes rueidis.Commands
		for _, key := range keys {
			if wanted(key) {
				deletes = append(deletes, redis.B().Unlink().Key(key).Build())
			}
		}
		var errs []error
		for _, answer := range redis.DoMulti(ctx, deletes...) {
			errs = append(errs, answer.Error())
		}
		return errors.Join(errs...)
	})
}

// removeTopics deletes topics and the group, from which it takes members that were killed, and returns
// when they are gone.
func removeTopics(ctx context.Context, client *kgo.Client, group string, topics ...string) error {
	admin := kadm.NewClient(client)
	if len(topics) == 0 { // to ask for none is to ask for all
		return errors.Join(emptyGroup(ctx, client, group), deleteGroup(ctx, admin, group))
	}
	answers, err := admin.DeleteTopics(ctx, topics...)
	for topic, answer := range answers {
		if errors.Is(answer.Err, kerr.UnknownTopicOrPartition) {
			delete(answers, topic) // it was not made, or has just gone
		}
	}
	if err = cmp.Or(err, answers.Error()); err == nil {
		err = awaitGone(ctx, admin, topics)
	}
	return errors.Join(err, emptyGroup(ctx, client, group), deleteGroup(ctx, admin, group))
}

// goneEvery is how often topics that were deleted are looked for.
const goneEvery = 50 * time.Millisecond

// awaitGone returns when the brokers' metadata shows the topics no more: the answer to a deletion is
// ahead of it.
func awaitGone(ctx context.Context, admin *kadm.Client, topics []string) error {
	for {
		details, err := admin.ListTopics(ctx, topics...)
		if err != nil {
			return fmt.Errorf("look whether topics are gone: %w", err)
		}
		there := details.Names()
		there = slices.DeleteFunc(there, func(topic string) bool {
			return errors.Is(details[topic].Err, kerr.UnknownTopicOrPartition)
		})
		if len(there) == 0 {
			return nil
		}
		if err := (clock.Clock{}).Sleep(ctx, goneEvery); err != nil {
			return fmt.Errorf("topic %s was deleted and is still there: %w", strings.Join(there, ", "), err)
		}
	}
}
