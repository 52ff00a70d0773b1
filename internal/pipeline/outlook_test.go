package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/consumer/ingest"
	"sluice/internal/kafkaio"
	"sluice/internal/servers/servertest"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// TestRedisIsFullSoon: on a real Redis that gets a megabyte a second, by the test's own clock.
func TestRedisIsFullSoon(t *testing.T) {
	server := servertest.Redis(t, "--maxmemory", "64mb")
	c := redisstore.DefaultConfig()
	c.Addresses = []string{server.Addr}
	store, err := redisstore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var s slopes
	look := func(second int) NodeOutlook {
		t.Helper()
		nodes, err := store.Memory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.fills(nodes[0], noon.Add(time.Duration(second)*time.Second))
	}
	if o := look(0); o.Fills {
		t.Errorf("full in %v after one look, want nothing said", o.FullIn)
	}
	megabyte := strings.Repeat("x", 1<<20)
	var o NodeOutlook
	for second := 1; second <= 10; second++ {
		if _, err := server.Do("SET", fmt.Sprint(second), megabyte); err != nil {
			t.Fatal(err)
		}
		o = look(second)
	}
	left := time.Duration(float64(o.Max-o.Used) / (1 << 20) * float64(time.Second))
	if !o.Fills || o.FullIn < left*3/4 || o.FullIn > left*5/4 {
		t.Errorf("full in %v (%v) of %d bytes of %d, want about %v", o.FullIn, o.Fills, o.Used, o.Max, left)
	}
	if _, err := server.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	for second := 11; second <= 30; second++ {
		o = look(second)
	}
	if o.Fills {
		t.Errorf("full in %v though it empties", o.FullIn)
	}
}

// TestSlopesForget: what was before the window does not count.
func TestSlopesForget(t *testing.T) {
	var s slopes
	node := buffer.NodeMemory{Node: "r", Max: 1000}
	at := noon
	fills := func(used int64) NodeOutlook {
		at = at.Add(10 * time.Second)
		node.Used = used
		return s.fills(node, at)
	}
	for i := range int64(30) {
		fills(10 * i)
	}
	if o := fills(300); !o.Fills || o.FullIn != 700*time.Second {
		t.Errorf("full in %v, want 700 s at 1 a second", o.FullIn)
	}
	var last NodeOutlook
	for range 20 {
		last = fills(300)
	}
	if last.Fills {
		t.Errorf("full in %v though nothing has come for longer than the window", last.FullIn)
	}
	if n := len(s.seen["memory of r"].times); n > int(outlookWindow/(10*time.Second))+1 {
		t.Errorf("%d values are kept", n)
	}
	node.Max = 0
	if fills(500); fills(900).Fills {
		t.Error("a node without a limit is full some time")
	}
}

// TestUnreadExpires: by age or by the pace of the log's start, whichever is first.
func TestUnreadExpires(t *testing.T) {
	for name, test := range map[string]struct {
		start, next, end int64 // the log's start moves so far in 10 s
		kept             time.Duration
		read             bool
		want             string
	}{
		"all is read":          {5, 20, 20, time.Hour, true, "0s, never"},
		"all was read before":  {5, 20, 20, time.Hour, false, "0s, never"},
		"by age":               {0, 20, 30, time.Hour, true, "10m0s, 50m0s"},
		"too old already":      {0, 20, 30, time.Minute, true, "10m0s, 0s"},
		"nothing was read yet": {0, 20, 30, time.Hour, false, "0s, never"},
		"kept for ever":        {0, 20, 30, kafkaio.KeptForever, true, "10m0s, never"},
		"by size":              {10, 20, 30, kafkaio.KeptForever, false, "0s, 10s"},
		"by both":              {10, 20, 30, time.Hour, true, "10m0s, 10s"},
		"the start is there":   {20, 20, 30, time.Hour, true, "10m0s, 0s"},
		"a quiet partition":    {0, 20, 30, time.Minute, true, "5s, 55s"},
	} {
		t.Run(name, func(t *testing.T) {
			var s slopes
			u := kafkaio.Unread{Next: test.next, End: test.end}
			var last batchTime
			if test.read {
				last.clock = noon.Add(-10 * time.Minute)
			}
			if name == "a quiet partition" { // a message comes after hours in which all was read
				all := kafkaio.Unread{Next: test.next, End: test.next}
				s.expires(3, all, last, test.kept, noon.Add(-5*time.Second))
			} else {
				s.expires(3, u, last, test.kept, noon.Add(-10*time.Second))
			}
			u.Start = test.start
			o := s.expires(3, u, last, test.kept, noon)
			got := o.Age.String() + ", never"
			if o.Expires {
				got = o.Age.String() + ", " + o.ExpiresIn.String()
			}
			if want := test.read || test.next == test.end; o.Aged != want {
				t.Errorf("its age is known: %v, want %v", o.Aged, want)
			}
			if got != test.want {
				t.Errorf("age and end of the oldest: %s, want %s", got, test.want)
			}
		})
	}
}

// TestUnreadOfLateSendersExpires by its timestamps: they may be old though the messages came just now, after
// all was read.
func TestUnreadOfLateSendersExpires(t *testing.T) {
	const kept, before = 4 * time.Hour, 10 * time.Minute
	for name, test := range map[string]struct {
		last batchTime
		want time.Duration
	}{
		"nobody was late":                   {batchTime{noon.Add(-5 * time.Hour), 0}, kept - before},
		"the last batch was":                {batchTime{noon.Add(-3 * time.Hour), 3 * time.Hour}, time.Hour},
		"what came before it was even more": {batchTime{noon.Add(-time.Hour), 3 * time.Hour}, 3 * time.Hour},
		"long ago":                          {batchTime{noon.Add(-9 * time.Hour), 3 * time.Hour}, time.Hour - before},
		"clocks are ahead":                  {batchTime{noon.Add(time.Hour), 0}, kept},
	} {
		t.Run(name, func(t *testing.T) {
			var s slopes
			s.expires(3, kafkaio.Unread{Next: 20, End: 20}, batchTime{}, kept, noon.Add(-before))
			o := s.expires(3, kafkaio.Unread{Next: 20, End: 30}, test.last, kept, noon)
			if !o.Expires || o.ExpiresIn != test.want {
				t.Errorf("it expires (%v) in %v, want in %v", o.Expires, o.ExpiresIn, test.want)
			}
			if o.Age > before {
				t.Errorf("it waits for %v, though all was read %v ago", o.Age, before)
			}
		})
	}
}

// TestLastRead: of partitions without a batch there is none, and who is ahead is not late.
func TestLastRead(t *testing.T) {
	at := buffer.InstantOf(noon)
	got := lastRead([]ingest.PartitionCounters{
		{Partition: 1},
		{Partition: 2, Clock: at, Wall: at.Add(time.Hour)},
		{Partition: 3, Clock: at, Wall: at.Add(-time.Hour)},
	})
	if len(got) != 2 || got[2].late != time.Hour || got[3].late != 0 ||
		!got[2].clock.Equal(noon) || !got[3].clock.Equal(noon) {
		t.Errorf("the last batches are %v, want one of partition 2, an hour late, and one of 3", got)
	}
}
