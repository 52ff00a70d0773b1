package redisstore_test

import (
	"context"
	"strings"
	"testing"

	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
)

// rehearse opens a store as a user, or as everyone, and rehearses.
func rehearse(ctx context.Context, address, user string) error {
	settings := config(address)
	settings.Namespace = "sluice:"
	if user != "" {
		settings.Username, settings.Password = user, "pw"
	}
	store, err := redisstore.Open(ctx, settings)
	if err != nil {
		return err
	}
	defer store.Close()
	return store.Rehearse(ctx)
}

func TestRehearsalLeavesNothing(t *testing.T) {
	for name, address := range map[string]string{
		"redis": servertest.Redis(t).Addr, "cluster": servertest.NewRedisCluster(t)[1].Addr,
	} {
		if err := rehearse(t.Context(), address, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		settings := config(address)
		settings.Namespace = "sluice:"
		if keys, err := open(t, settings).Keys(t.Context()); err != nil || len(keys) > 0 {
			t.Errorf("%s: %q are left, %v", name, keys, err)
		}
	}
}

// Servers that answer, and would refuse the first span, are refused with the words that help.
func TestRehearsalFindsWhatOpenCannot(t *testing.T) {
	primary := servertest.Redis(t).Addr
	replica := servertest.Redis(t).Addr
	host, port, _ := strings.Cut(primary, ":")
	must(t, open(t, config(replica)).Do(t.Context(), "REPLICAOF", host, port))
	limited := servertest.Redis(t).Addr
	admin := open(t, config(limited))
	for user, rules := range map[string]string{
		"reader":   "~* +@read +info +@connection",
		"scripted": "~other:* +@all",
		"unseeing": "~sluice:* +@all -scan",
		"full":     "~sluice:* +@read +@write +@scripting +@connection +info",
	} {
		words := append([]string{"ACL", "SETUSER", user, "on", ">pw"}, strings.Fields(rules)...)
		must(t, admin.Do(t.Context(), words...))
	}
	renamed := servertest.Redis(t, "--rename-command", "EVALSHA", "").Addr
	for name, c := range map[string]struct {
		address, user string
		want          string
	}{
		"replica":       {replica, "", "give the address of its primary"},
		"no writes":     {limited, "reader", "+@scripting"},
		"other keys":    {limited, "scripted", "~sluice:*"},
		"no scan":       {limited, "unseeing", "the user needs"},
		"all it needs":  {limited, "full", ""},
		"no script":     {renamed, "", "renamed or disabled"},
		"without slots": {servertest.Redis(t, "--cluster-enabled", "yes").Addr, "", "CLUSTER INFO"},
	} {
		err := rehearse(t.Context(), c.address, c.user)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v does not say %q", name, err, c.want)
		}
	}
}

// What cannot be deleted, or whose program ends in the middle, goes by itself.
func TestRehearsalPasses(t *testing.T) {
	server := servertest.Redis(t)
	must(t, open(t, config(server.Addr)).Do(t.Context(),
		"ACL", "SETUSER", "keeper", "on", ">pw", "~*", "+@all", "-del"))
	if err := rehearse(t.Context(), server.Addr, "keeper"); err == nil ||
		!strings.Contains(err.Error(), "the user needs") {
		t.Errorf("a user who may not delete: %v", err)
	}
	keys, err := server.Do("KEYS", "*")
	if err != nil || strings.TrimSpace(keys) == "" {
		t.Fatalf("nothing is left to look at: %q, %v", keys, err)
	}
	for _, key := range strings.Fields(keys) {
		if ttl, err := server.Do("TTL", key); err != nil || strings.HasPrefix(strings.TrimSpace(ttl), "-") {
			t.Errorf("%s stays: TTL %s, %v", key, ttl, err)
		}
	}
}
