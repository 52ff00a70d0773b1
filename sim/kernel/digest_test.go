package kernel_test

import (
	"context"
	"testing"
	"time"

	"sluice/sim/kernel"
)

// TestDigest: a run has the same one each time, and another one if anything differs.
func TestDigest(t *testing.T) {
	run := func(sleep time.Duration, what string, numbers ...int64) string {
		k, err := kernel.New(kernel.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		for range 3 {
			k.Go("t", func() {
				_ = k.Sleep(context.Background(), sleep)
				k.Note(what, numbers...)
			})
		}
		_ = k.Sleep(context.Background(), 1000)
		return k.Digest()
	}
	type difference struct {
		sleep   time.Duration
		what    string
		numbers []int64
	}
	seen := make(map[string]difference)
	for _, d := range []difference{
		{5, "a", nil}, {6, "a", nil}, {5, "b", nil}, {5, "", nil}, {5, "a\x00", nil},
		{5, "a", []int64{0}}, {5, "a", []int64{0, 0}}, {5, "a", []int64{1, 0}}, {5, "a", []int64{0, 1}},
		{5, "a", []int64{-1}}, {5, "12345678", nil}, {5, "123456781", nil}, {5, "12345678\x00", nil},
		{5, "1234567812345678", nil}, {5, "1234567912345678", nil}, {1, "a", nil},
	} {
		digest := run(d.sleep, d.what, d.numbers...)
		if again := run(d.sleep, d.what, d.numbers...); again != digest || len(digest) != 32 {
			t.Errorf("%v: %s, and then %s", d, digest, again)
		}
		if other, ok := seen[digest]; ok {
			t.Errorf("%v and %v have one digest", d, other)
		}
		seen[digest] = d
	}
}

// TestDigestIsThatOfAnotherMachine pins one: it must not depend on the machine or the Go version.
func TestDigestIsThatOfAnotherMachine(t *testing.T) {
	r := newRig(t)
	r.Go("t", func() {
		r.nap(7)
		r.Note("flushed", 1, -2)
	})
	r.pass(10)
	if got, want := r.Digest(), "b587139c182d5e96d0f6e0a8beccc111"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
