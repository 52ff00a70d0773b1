package kafkaio

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// refusedFetch begins the line in which the client says that a broker refused a fetch as a whole. It says
// so only to its log; without that such an answer looks like one of partitions that have nothing.
const refusedFetch = "fetch response has unexpected top-level error"

// warnings are the log of a source's client: what it hears of is told to the source.
type warnings struct{ refused func(broker int32, err error) }

var _ kgo.Logger = warnings{}

// Level is called by the client with every line.
func (warnings) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log is called by the client with those that are important enough.
func (w warnings) Log(_ kgo.LogLevel, text string, pairs ...any) {
	if !strings.HasPrefix(text, refusedFetch) {
		return
	}
	var broker int64
	err := fmt.Errorf("%s", text)
	for i := 0; i+1 < len(pairs); i += 2 {
		switch value := pairs[i+1].(type) {
		case string:
			if pairs[i] == "broker" {
				broker, _ = strconv.ParseInt(value, 10, 32)
			}
		case error:
			err = value
		}
	}
	w.refused(int32(broker), err)
}

// refused is called with a broker that refused a fetch as a whole.
func (s *Source) refused(broker int32, err error) {
	s.touch.refuse(broker)
	s.troubles.Fails(fetching, "fetch", fmt.Errorf("broker %d: %w", broker, err))
}
