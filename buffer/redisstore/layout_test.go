package redisstore_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"sluice/buffer/redisstore"
)

// A namespace in which a newer version has written is refused with the words that help; that of an older
// one, or a new one, is noted as this version's.
func TestLayoutOfANewerVersionIsRefused(t *testing.T) {
	for _, p := range []place{onRedis, onCluster} {
		t.Run(p.name, func(t *testing.T) {
			for noted, want := range map[string]string{
				"": "", "0": "", strconv.Itoa(redisstore.Layout): "",
				strconv.Itoa(redisstore.Layout + 1): "start the newer version", "x": "another program",
			} {
				store := p.open(t).Fork(namespace(), 0)
				wiped(t, store)
				if noted != "" {
					must(t, store.Set(t.Context(), "layout", noted))
				}
				err := store.Enter(t.Context())
				if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("layout %q: %v, want %q", noted, err, want)
				}
				if newer := want == "start the newer version"; errors.Is(err, redisstore.ErrLayout) != newer {
					t.Errorf("layout %q: %v", noted, err)
				}
				got, err := store.Get(t.Context(), "layout")
				must(t, err)
				after := strconv.Itoa(redisstore.Layout)
				if want != "" {
					after = noted
				}
				if left, err := store.Leftovers(t.Context()); err != nil || !left.Empty() {
					t.Errorf("layout %q is taken for spans: %v, %v", noted, left, err)
				}
				if got != after {
					t.Errorf("layout %q is %q afterwards, want %q", noted, got, after)
				}
			}
		})
	}
}
