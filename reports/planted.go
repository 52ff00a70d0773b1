package reports

import (
	"fmt"
	"strings"
)

// Planted names what was put into runs on purpose, for whoever reads no more than the head of a result: a
// defect, faults at ports, and other costs than the built-in ones. It is empty if nothing was. Of many
// faults it has the first.
func Planted(defect string, portFaults []string, costs string) string {
	const few = 3
	var parts []string
	if defect != "" {
		parts = append(parts, "defect "+defect)
	}
	switch n := len(portFaults); {
	case n == 1:
		parts = append(parts, "port fault "+portFaults[0])
	case n > few:
		parts = append(parts, fmt.Sprintf("port faults %s; and %d more", strings.Join(portFaults[:few], "; "), n-few))
	case n > 0:
		parts = append(parts, "port faults "+strings.Join(portFaults, "; "))
	}
	if costs != "" {
		parts = append(parts, "costs "+costs)
	}
	return strings.Join(parts, ", ")
}
