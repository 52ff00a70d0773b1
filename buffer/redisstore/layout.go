package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Layout is the number of the form in which this version keeps spans. It is raised when a version leaves
// something that one before it would misread or refuse.
const Layout = 1

// ErrLayout means that a newer version has written in the namespace.
var ErrLayout = errors.New("the spans there are kept in the form of a newer version")

func (s *Store) layoutKey() string { return s.config.Namespace + "layout" }

// Enter notes in the namespace that this version writes there, and refuses one in which a newer version
// has: what that left would be misread. What versions before this note left is read. A Redis that is
// full takes no note.
func (s *Store) Enter(ctx context.Context) error {
	key := s.layoutKey()
	text, err := s.client.Do(ctx, s.client.B().Get().Key(key).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("read %s: %w", key, classify(ctx, err))
	}
	if text != "" {
		noted, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is %q, want a number: does another program use the namespace %q?",
				key, text, s.config.Namespace)
		}
		if noted > Layout {
			return fmt.Errorf("namespace %q: %w: layout %d, and this one knows %d: start the newer version, or "+
				"let it flush all that is there and delete the key %s",
				s.config.Namespace, ErrLayout, noted, Layout, key)
		}
		if noted == Layout {
			return nil
		}
	}
	err = classify(ctx, s.client.Do(ctx, s.client.B().Set().Key(key).Value(strconv.Itoa(Layout)).Build()).Error())
	if err != nil && !errors.Is(err, buffer.ErrFull) {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
