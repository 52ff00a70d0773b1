package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
)

// damages are what may be under the key of a trace that Claim or Load is asked about: commands, of which the
// word KEY stands for it.
var damages = map[string][][]string{
	"no trace":                {{"DEL", "KEY"}, {"SET", "KEY", "damaged"}},
	"a former one, cut short": {{"DEL", "KEY"}, {"SET", "KEY", "xx\x00"}},
	"a former one that flies": {{"DEL", "KEY"}, {"SET", "KEY", "damaged\x00\x00\x01"}},
	"a blob is gone": {{"EVAL", `
if redis.call('TYPE', KEYS[1]).ok == 'string' then return redis.call('SET', KEYS[1], 'damaged') end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 1) == 'b' then redis.call('HDEL', KEYS[1], field) end
end
return 1`, "1", "KEY"}},
	"the end of one":   {{"DEL", "KEY"}, {"SET", "KEY", "damaged, and as long as a small trace is at the least"}},
	"a list":           {{"DEL", "KEY"}, {"LPUSH", "KEY", "x"}},
	"a damaged record": {{"DEL", "KEY"}, {"HSET", "KEY", "0", "damaged"}},
	"frames of a later version": {{"EVAL", `
if redis.call('TYPE', KEYS[1]).ok == 'string' then return redis.call('SETRANGE', KEYS[1], 0, '\9') end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 1) == 'b' then redis.call('HSET', KEYS[1], field, '\9') end
end
return 1`, "1", "KEY"}},
}

// damage puts something else under the key of a trace.
func damage(t *testing.T, store *redisstore.Store, key string, commands [][]string) {
	t.Helper()
	for _, words := range commands {
		words = slices.Clone(words)
		for i, word := range words {
			if word == "KEY" {
				words[i] = key
			}
		}
		must(t, store.Do(t.Context(), words...))
	}
}

// TestAttachAndAckSayThatATraceIsDamaged, if they meet it; the others can be asked about without it.
func TestAttachAndAckSayThatATraceIsDamaged(t *testing.T) {
	for _, p := range []place{onMiniredis, onFew, onRedis} {
		for form, shape := range map[string]func(*redisstore.Store) *redisstore.Store{
			"small": func(s *redisstore.Store) *redisstore.Store { return s },
			"hash":  (*redisstore.Store).Roomy,
		} {
			t.Run(p.name+"/"+form, func(t *testing.T) {
				within := namespace()
				store := shape(p.open(t).Fork(within, 0))
				wiped(t, store)
				c := &cycle{t: t, store: store}
				must(t, c.fence())
				var flushed []buffer.Flushed
				for trace := range byte(3) {
					must(t, c.attach(1+trace))
					must(t, c.enqueue())
					flushed = append(flushed, buffer.Flushed{Generation: c.names[0]})
				}
				_, err := store.Lease(t.Context(), c.owner, buffer.Seconds(3), 10)
				must(t, err)
				for i := range flushed {
					f := &flushed[i]
					claims, err := store.Claim(t.Context(), c.owner, []buffer.Generation{f.Generation})
					must(t, err)
					f.Along = claims[0].Loaded != nil
					for _, span := range traceSpans(byte(1+i), 3)[0].Subtrees[0].Spans {
						f.Spans = append(f.Spans, span.ID)
					}
				}
				damage(t, store, within+"t:1:"+flushed[1].Trace.String(), damages["a list"])

				attach := func(traces ...byte) error {
					var batch []buffer.TraceBatch
					for _, trace := range traces {
						batch = append(batch, traceSpans(trace, 4)...)
					}
					answers, err := store.Attach(t.Context(), delivery(10), batch)
					for _, answer := range answers {
						if err == nil && (!answer.Done || answer.Stored+answer.Duplicates != 4) {
							t.Errorf("attached %+v, want all 4", answer)
						}
					}
					return err
				}
				ack := func(list ...buffer.Flushed) error {
					results, err := store.Ack(t.Context(), c.owner, list)
					for _, result := range results {
						if err == nil && result == buffer.AckStale {
							t.Errorf("acknowledged with %v", results)
						}
					}
					return err
				}
				for step, err := range map[string]error{
					"attach": attach(1, 2, 3), "attach of one": attach(2),
					"ack": ack(flushed...), "ack of one": ack(flushed[1]),
				} {
					if !errors.Is(err, buffer.ErrDamaged) || buffer.Retryable(err) {
						t.Errorf("%s: %v, want ErrDamaged", step, err)
					}
				}
				must(t, attach(1, 3))
				must(t, ack(flushed[0], flushed[2]))
			})
		}
	}
}

// TestADamagedTraceIsSaidToBe: Claim or Load says so, and neither takes it for gone. The others can be asked
// about without it.
func TestADamagedTraceIsSaidToBe(t *testing.T) {
	for _, p := range []place{onMiniredis, onFew, onRedis} {
		for form, shape := range map[string]func(*redisstore.Store) *redisstore.Store{
			"small": func(s *redisstore.Store) *redisstore.Store { return s },
			"hash":  (*redisstore.Store).Roomy,
		} {
			for name, commands := range damages {
				t.Run(p.name+"/"+form+"/"+name, func(t *testing.T) {
					within := namespace()
					store := shape(p.open(t).Fork(within, 0))
					wiped(t, store)
					c := &cycle{t: t, store: store}
					must(t, c.fence())
					var names []buffer.Generation
					for trace := range byte(3) {
						must(t, c.attach(1+trace))
						must(t, c.enqueue())
						names = append(names, c.names...)
					}
					if leased, err := store.Lease(t.Context(), c.owner, buffer.Seconds(3), 10); err != nil || len(leased.Due) != 3 {
						t.Fatalf("leased %v, %v, want 3", leased, err)
					}
					damage(t, store, within+"t:1:"+names[1].Trace.String(), commands)
					read := func(names ...buffer.Generation) ([]buffer.Loaded, error) {
						claims, err := store.Claim(t.Context(), c.owner, names)
						for _, claim := range claims {
							if claim.State != buffer.ClaimOwned {
								t.Errorf("claim is %+v, want owned", claim)
							}
						}
						if err != nil {
							return nil, err
						}
						return store.Load(t.Context(), c.owner, names)
					}
					for _, list := range [][]buffer.Generation{names, names[1:2]} {
						if loaded, err := read(list...); !errors.Is(err, buffer.ErrDamaged) || buffer.Retryable(err) {
							t.Errorf("of %d: %v, %v, want ErrDamaged", len(list), loaded, err)
						}
					}
					loaded, err := read(names[0], names[2])
					if must(t, err); len(loaded[0].Spans) != 3 || len(loaded[1].Spans) != 3 {
						t.Errorf("without it: %v, want 3 spans of each", loaded)
					}
				})
			}
		}
	}
}

// TestADamagedTraceStaysAsItIs: what cannot be read today, a later version may read.
func TestADamagedTraceStaysAsItIs(t *testing.T) {
	for _, p := range []place{onMiniredis, onFew, onRedis} {
		for _, damaged := range []string{"damaged", "xx\x00", "damaged\x00\x00\x01"} {
			t.Run(fmt.Sprintf("%s/%q", p.name, damaged), func(t *testing.T) {
				within := namespace()
				store := p.open(t).Fork(within, 0)
				wiped(t, store)
				c := &cycle{t: t, store: store}
				must(t, c.fence())
				must(t, c.attach(1))
				must(t, c.enqueue())
				key := within + "t:1:" + c.names[0].Trace.String()
				must(t, store.Do(t.Context(), "SET", key, damaged))
				if _, err := store.Claim(t.Context(), c.owner, c.names); !errors.Is(err, buffer.ErrDamaged) {
					t.Errorf("Claim of %q: %v, want ErrDamaged", damaged, err)
				}
				must(t, store.Do(t.Context(), "EVAL",
					"return redis.call('GET', KEYS[1]) == ARGV[1] or redis.error_reply('it is another')", "1", key, damaged))
			})
		}
	}
}
