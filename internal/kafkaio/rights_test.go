package kafkaio

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// guarded is a Kafka with a user "keeper" and what it may do.
type guarded struct {
	admin  *kadm.Client
	asUser Config // of the keeper
	asRoot Config
}

func newGuarded(t *testing.T) guarded {
	t.Helper()
	server := servertest.GuardedKafka(t, servers.Logins{"keeper": "pw"})
	asRoot, _ := configFor(server.Addr)
	asUser, _ := configFor(server.Guarded)
	asUser.SASL = SASL{Mechanism: Plain, User: "keeper", Password: "pw"}
	client, err := kgo.NewClient(asRoot.Dialing()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return guarded{kadm.NewClient(client), asUser, asRoot}
}

func (g guarded) rights(operation kadm.ACLOperation, topics, groups []string) *kadm.ACLBuilder {
	b := kadm.NewACLs().Operations(operation).Allow("User:keeper").AllowHosts().
		ResourcePatternType(kadm.ACLPatternLiteral)
	if len(topics) > 0 {
		b = b.Topics(topics...)
	}
	if len(groups) > 0 {
		b = b.Groups(groups...)
	}
	return b
}

func (g guarded) give(t *testing.T, b *kadm.ACLBuilder) {
	t.Helper()
	results, err := g.admin.CreateACLs(bounded(t), b)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (g guarded) take(t *testing.T, b *kadm.ACLBuilder) {
	t.Helper()
	results, err := g.admin.DeleteACLs(bounded(t), b)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	if err != nil || len(results) == 0 {
		t.Fatalf("%d rights taken, %v", len(results), err)
	}
}

// Rights that are taken away while a source reads pass when they are given back; those that never
// were there end it.
func TestRealRightsTakenAway(t *testing.T) {
	g := newGuarded(t)
	topic := topicsFor(t, g.asRoot, 1, "spans")[0]
	member := func() *Source {
		return source(t, g.asUser, func(sc *SourceConfig) { sc.Topic, sc.Group = topic, t.Name() })
	}
	ofTopic := g.rights(kadm.OpRead, []string{topic}, nil)
	ofGroup := g.rights(kadm.OpRead, nil, []string{t.Name()})
	g.give(t, ofTopic)
	stranger := member()
	eventually(t, "a stranger is told that it may not join", func() bool {
		_, err := stranger.Poll(bounded(t), 10, pollWait)
		return errors.Is(err, kerr.GroupAuthorizationFailed)
	})
	stranger.Close()
	g.give(t, ofGroup)
	s := member()
	load(t, g.asRoot, topic, 0, 5, 0)
	poll(t, s, 100, 5)
	sent := 5
	more := func() { load(t, g.asRoot, topic, sent, 5, 0); sent += 5 }
	var last flusher.Message
	// reads polls once, and tells what fails for now.
	reads := func() error {
		t.Helper()
		fetch, err := s.Poll(t.Context(), 100, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetch.Batches {
			last = b.Messages[len(b.Messages)-1]
		}
		return s.Troubles().Of(fetching)
	}
	for name, c := range map[string]struct {
		right *kadm.ACLBuilder
		want  error
	}{
		"topic": {ofTopic, kerr.TopicAuthorizationFailed},
		"group": {ofGroup, kerr.GroupAuthorizationFailed},
	} {
		g.take(t, c.right)
		more()
		eventually(t, "the source says that it may not read the "+name, func() bool {
			return errors.Is(reads(), c.want)
		})
		g.give(t, c.right)
		more()
		eventually(t, "it reads on once it may read the "+name, func() bool {
			return reads() == nil && last.Position.Offset == int64(sent-1) &&
				s.Commit(t.Context(), []flusher.Message{last}) == nil
		})
	}
}
