package capacity

import "sluice/reports"

// Conditions are what the runs of a report have in common beside the scenario.
type Conditions struct {
	// Version is that of the program that made the report.
	Version string `json:"version"`
	// Defect and PortFaults were planted, if anything was.
	Defect     string   `json:"defect"`
	PortFaults []string `json:"port_faults"`
	// DurationSeconds is how long the load of each run was to last; 0 if that was left to the search.
	DurationSeconds float64 `json:"duration_seconds"`
	// Most is the highest rate to try, in spans per second, Precision how near the highest sustained one
	// was to be found, as a share.
	Most      float64 `json:"most"`
	Precision float64 `json:"precision"`
}

// planted says what was put into every run on purpose; empty if nothing was. Costs are named elsewhere.
func (c Conditions) planted() string {
	if planted := reports.Planted(c.Defect, c.PortFaults, ""); planted != "" {
		return "In every run: " + planted + "."
	}
	return ""
}

// UnsafeWith is what the first run with a number of processes that violated safety says of it, whatever
// that run was made for; empty if all were safe.
func (r *Report) UnsafeWith(processes int) string {
	for _, p := range r.Points {
		for i := range p.Probes {
			if p.Processes == processes && p.Probes[i].Unsafe != "" {
				return p.Probes[i].Unsafe
			}
		}
	}
	var trials []*Trial
	if r.Outlook != nil {
		for i := range r.Outlook.Trials {
			trials = append(trials, &r.Outlook.Trials[i])
		}
	}
	if r.Stability != nil {
		for i := range r.Stability.Cells {
			trials = append(trials, &r.Stability.Cells[i].Trial)
		}
	}
	for _, t := range trials {
		if t.Processes == processes && t.Unsafe != "" {
			return t.Unsafe
		}
	}
	return ""
}
