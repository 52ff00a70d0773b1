package check

import (
	"errors"
	"testing"
)

func TestFaults(t *testing.T) {
	var f Faults
	part := errors.New("a part is broken")
	f.When(false, "never said")
	f.Add(nil, nil)
	if err := f.Err(); err != nil {
		t.Errorf("without faults: %v", err)
	}
	f.When(true, "%d is not positive", 0)
	f.Add(nil, part)
	err := f.Err()
	if !errors.Is(err, part) || err.Error() != "0 is not positive\na part is broken" {
		t.Errorf("faults: %v", err)
	}
}
