package capacity

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"sluice/internal/options"
	"sluice/internal/usl"
)

// say finds the words for the answer.
func (r *Report) say() {
	r.Unsafe = r.violations()
	r.Headline = r.headline()
	r.Next = nil
	for _, what := range r.Unsafe {
		r.Next = append(r.Next, "Safety was violated "+what+".")
	}
	if r.Unfinished != "" {
		r.Next = append(r.Next, "Not all was measured: "+r.Unfinished+".")
	}
	if r.full() {
		r.Next = append(r.Next, moreMemory)
	}
	if r.memoryUnknown() {
		r.Next = append(r.Next, fmt.Sprintf("Whether Redis may hold what waits at the target is not known: %s. Count it at "+
			"the target (--outage 2s), or give it more memory.", r.Outlook.tooLittle()))
	}
	if rec := r.Recommended; rec != nil {
		r.Next = append(r.Next, fmt.Sprintf("Run %s (--flusher-processes %d).", processes(rec.Processes),
			rec.Processes))
		if rec.Beyond {
			r.Next = append(r.Next, fmt.Sprintf("The spread does not exclude that more than %d are needed: "+
				"measure more (--processes, --repeat 3).", rec.High))
		}
	}
	for _, pair := range r.worse() {
		r.Next = append(r.Next, sentence(r.worseWords(pair[0], pair[1])))
	}
	best := r.best()
	switch {
	case r.full(): // it is not for want of a count
	case r.Refused != "" && r.Unfinished != "": // what is missing may carry it
	case r.Refused != "" || r.Recommended == nil && best.Unbounded:
		r.Next = append(r.Next, sentence(r.way(best)))
	case r.Recommended != nil:
		r.Next = append(r.Next, "For a higher target: "+r.way(best))
	}
}

// full tells whether no count was recommended since Redis may not hold what waits.
func (r *Report) full() bool { return r.Refused != "" && r.Outlook != nil && r.Outlook.full() }

// memoryUnknown tells whether that is not known: more than it may hold waits at a rate above what is needed,
// and it was not counted at another.
func (r *Report) memoryUnknown() bool {
	return r.Recommended != nil && r.Outlook != nil && r.Outlook.full()
}

// Unfinish says why not every count was measured.
func (r *Report) Unfinish(why error) {
	r.Unfinished, r.Begun = why.Error(), begun(why)
	r.say()
}

// begun is what the searches had made that an error ended.
func begun(why error) []Point {
	if ended := (*Ended)(nil); errors.As(why, &ended) {
		return ended.Begun
	}
	return nil
}

// UnsafeUntil are the runs, in words, in which safety was violated in the searches that an error ended.
func UnsafeUntil(why error) []string { return (&Report{Begun: begun(why)}).violations() }

// way says what to do when no count carries enough.
func (r *Report) way(best Count) string {
	last := r.Counts[len(r.Counts)-1]
	switch {
	case best.Unbounded:
		return fmt.Sprintf("the search ended at its bound of %s spans/s; raise it (--most).",
			grouped(best.Greatest))
	case best.Limit == RedisThread:
		return "more processes do not help where the thread of Redis is the limit; a cluster does, or less " +
			"work for Redis (larger batches: pipeline.max_batch)."
	case isRequired(best.Limit):
		return fmt.Sprintf("no resource was the limit, but %s: see whether that is what you want, or change it (--set).",
			best.Limit)
	case best.Limit == Cores:
		return "more processes do not help where the cores of the host are the limit; more cores do."
	case best.Limit == Kafka:
		return "more processes do not help where the cores of Kafka are the limit; more brokers do, or fewer " +
			"requests (larger batches, fewer partitions)."
	case best.Limit == Network:
		return "more processes do not help where the network is the limit; more of it does, or a second host."
	case best.Limit == Consumers:
		return "more processes do not help where the reading of the input is the limit; more consumers do, " +
			"each with a part of the partitions."
	case best.Processes == last.Processes && r.flat():
		return fmt.Sprintf("%s carry no more than fewer, as far as the search can tell: see what they wait for.",
			processes(last.Processes))
	case best.Processes == last.Processes:
		return "measure more processes (--processes), with more partitions if need be."
	case surelyLess(last, best):
		return fmt.Sprintf("more processes than %d make it worse.", best.Processes)
	}
	return fmt.Sprintf("more processes than %d carry no more, as far as the search can tell: see what they wait for.",
		best.Processes)
}

// violations are the runs in which safety was violated, in words.
func (r *Report) violations() (list []string) {
	add := func(count int, rate float64, when, what string) {
		if what != "" {
			list = append(list, fmt.Sprintf("with %s at %s spans/s%s: %s", processes(count), grouped(rate), when, what))
		}
	}
	for _, p := range slices.Concat(r.Points, r.Begun) {
		for _, probe := range p.Probes {
			add(p.Processes, probe.Rate, "", probe.Unsafe)
		}
	}
	var trials []Trial
	if r.Outlook != nil {
		trials = slices.Clone(r.Outlook.Trials)
	}
	if r.Stability != nil {
		for i := range r.Stability.Cells {
			trials = append(trials, r.Stability.Cells[i].Trial)
		}
	}
	for i := range trials {
		t := &trials[i]
		add(t.Processes, t.Rate, ", when "+t.What, t.Unsafe)
	}
	return list
}

func (r *Report) headline() string {
	text := r.answer()
	if len(r.Unsafe) > 0 {
		return "Safety was violated in " + options.FormatCount(len(r.Unsafe), "run") + ". " + text
	}
	return text
}

// answer is the headline of a report whose runs were all safe.
func (r *Report) answer() string {
	if r.Refused != "" && r.Unfinished != "" && !r.full() {
		return "No recommendation yet: " + r.Refused + "."
	}
	if r.Refused != "" {
		return "No recommendation: " + r.Refused + "."
	}
	text := ""
	if rec := r.Recommended; rec != nil {
		carry := "carry"
		if rec.Processes == 1 {
			carry = "carries"
		}
		text = fmt.Sprintf("%s %s %s spans/s with %s %% headroom", processes(rec.Processes), carry,
			grouped(r.Target), figure(100*r.Headroom, 4))
		text += " (95 %: " + rec.interval() + "); "
	}
	return sentence(text + r.limits() + ".")
}

// interval is how many it could be, in words.
func (rec *Recommended) interval() string {
	text := strconv.Itoa(rec.Low)
	switch {
	case rec.Beyond:
		text += fmt.Sprintf(" to more than %d", rec.High)
	case rec.Low != rec.High:
		text += fmt.Sprintf(" to %d", rec.High)
	}
	switch last := rec.Processes - 1; {
	case rec.Untried == 0:
	case rec.Untried == 1:
		text += "; fewer were not tried"
	case rec.Untried == last:
		text += fmt.Sprintf("; %d was not tried", last)
	default:
		text += fmt.Sprintf("; %d to %d were not tried", rec.Untried, last)
	}
	return text
}

// On says how many shards the processes share.
func (r *Report) On(partitions int) {
	r.Partitions = partitions
	r.say()
}

// worse are the measured counts that sustain less than the one measured before them: surely, or as far
// as was seen if that is no matter of a resource which all share.
func (r *Report) worse() (list [][2]Count) {
	for i, c := range r.Counts[1:] {
		own := c.Limit == WorkerCycle || c.Limit == WorkerCPU
		if before := r.Counts[i]; surelyLess(c, before) || own && c.Median < before.Median {
			list = append(list, [2]Count{before, c})
		}
	}
	return list
}

// surelyLess tells whether what a count does not sustain is what another does in each of its repeats.
func surelyLess(c, than Count) bool { return c.Failed > 0 && c.Failed <= than.Least }

// worseWords say that more processes sustain less, and why if their shards show it.
func (r *Report) worseWords(before, c Count) string {
	text := fmt.Sprintf("%s less than %d: %s spans/s, not %s", sustain(c.Processes), before.Processes,
		grouped(c.Median), grouped(before.Median))
	if !surelyLess(c, before) {
		text += ", though no less than the search and the repeats leave open (--precision, --repeat)"
	}
	text += "."
	if rest := r.Partitions % c.Processes; rest != 0 && r.Partitions%before.Processes == 0 {
		text += fmt.Sprintf(" %s are uneven on %s: %d of them have %d, the others %d. Choose a number of "+
			"processes that divides the partitions.", options.FormatCount(r.Partitions, "shard"),
			options.FormatCount(c.Processes, "worker"), rest, r.Partitions/c.Processes+1,
			r.Partitions/c.Processes)
	}
	return text
}

// sentence begins with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// limits says what limits from which count on.
func (r *Report) limits() string {
	last := r.Counts[len(r.Counts)-1]
	if last.Greatest == 0 {
		return r.nothing(last.Processes)
	}
	from := last.Processes
	for i := len(r.Counts) - 1; i >= 0 && r.Counts[i].Limit == last.Limit; i-- {
		from = r.Counts[i].Processes
	}
	if last.Unbounded {
		return fmt.Sprintf("with %s no rate up to %s spans/s was too high", processes(last.Processes), grouped(last.Greatest))
	}
	if last.Limit == WorkerCycle || last.Limit == WorkerCPU {
		more := "so more processes carry more"
		switch {
		case len(r.Counts) == 1:
			return fmt.Sprintf("with %s, %s limits", processes(last.Processes), last.Limit)
		case len(r.worse()) > 0:
			more = "but not every further process carries more"
		case r.flat():
			more = fmt.Sprintf("but they carry no more than %d, as far as the search can tell",
				r.Counts[len(r.Counts)-2].Processes)
		}
		return fmt.Sprintf("up to %s, %s limits, %s", processes(last.Processes), last.Limit, more)
	}
	verb := "limits"
	if last.Limit == Cores || last.Limit == Kafka {
		verb = "limit"
	}
	return fmt.Sprintf("%s %s from %d on", last.Limit, verb, from)
}

// flat tells whether the greatest count carries what the one before it may carry, too: up to the rate
// that it surely does not.
func (r *Report) flat() bool {
	n := len(r.Counts)
	return n > 1 && r.Counts[n-1].Median <= r.Counts[n-2].Failed
}

// nothing says why a count carries nothing: what the lowest rate failed of is no limit of the system's.
func (r *Report) nothing(count int) string {
	var least Probe
	for _, p := range r.Points {
		for _, probe := range p.Probes {
			if p.Processes == count && !probe.Unjudged && (least.Rate == 0 || probe.Rate < least.Rate) {
				least = probe
			}
		}
	}
	return fmt.Sprintf("with %s not even %s spans/s are sustained: %s", processes(count),
		grouped(least.Rate), least.Why)
}

// WriteText writes the report for a reader.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Headline)
	if planted := r.planted(); planted != "" {
		fmt.Fprintf(w, "%s\n\n", planted)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "processes\tleast/s\tmedian/s\tgreatest/s\tnot/s\tfit/s\tlimit\tbusy\t")
	for _, c := range r.Counts {
		row := r.row(c)
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", c.Processes, grouped(c.Least),
			grouped(c.Median), grouped(c.Greatest), row.failed, row.fit, row.limit, row.share)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range r.Next {
		fmt.Fprintf(w, "\n%s", line)
	}
	if r.Outlook != nil {
		fmt.Fprintf(w, "\n\n%s", strings.Join(r.Outlook.words(), "\n"))
	}
	if m := r.Stability; m != nil && len(m.Cells) > 0 {
		fmt.Fprintf(w, "\n\n%s", strings.Join(m.words(), "\n"))
	}
	if r.Cost != nil {
		fmt.Fprintf(w, "\n\n%s", r.Cost.words())
	}
	if r.other != nil {
		fmt.Fprintf(w, "\n\n%s", r.besideText())
	}
	if lines := r.trust(); len(lines) > 0 {
		fmt.Fprintf(w, "\n\n%s", strings.Join(lines, "\n"))
	}
	if r.USL == nil {
		_, err := fmt.Fprintf(w, "\n\nNo law fitted: %s.\n", r.NoFit)
		return err
	}
	_, err := fmt.Fprintf(w, "\n\n%s", r.USL.Text("spans/s"))
	return err
}

// row is a row of the table of counts, as text.
type row struct{ failed, fit, limit, share string }

func (r *Report) row(c Count) row {
	t := row{failed: grouped(c.Failed), fit: "-", limit: c.limitText(), share: "-"}
	if finite(c.Share) {
		t.share = percent(float64(c.Share))
	}
	if r.USL != nil {
		t.fit = grouped(r.USL.At(float64(c.Processes)))
	}
	if c.Unbounded {
		t.failed, t.limit, t.share = "-", "none found", "-"
	}
	return t
}

// limitText is the limit of most repeats, with how many these are if not all, and if it is no resource what
// was busiest then.
func (c Count) limitText() string {
	text, repeats := string(c.Limit), 0
	for _, l := range c.Limits {
		repeats += l.Repeats
	}
	if len(c.Limits) > 1 {
		text += fmt.Sprintf(", in %d of %d repeats", c.Limits[0].Repeats, repeats)
	}
	if !finite(c.Share) && finite(c.BusiestShare) {
		text += fmt.Sprintf(" (busiest: %s, %s)", c.Busiest, percent(float64(c.BusiestShare)))
	}
	return text
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// same is how much less is as much.
const same = 1e-6

// Text is the law for a reader; unit is that of the throughput.
func (l *Law) Text(unit string) string {
	line := func(name string, v usl.Value, what string) string {
		if v.Bound {
			return fmt.Sprintf("%-8s 0 [0, %s] (at its bound)  %s\n", name, figure(v.High, 4), what)
		}
		return fmt.Sprintf("%-8s %s [%s, %s]  %s\n", name, figure(v.Value, 6), figure(v.Low, 4), figure(v.High, 4), what)
	}
	text := "Universal Scalability Law, with intervals of 95 %:\n" +
		line("lambda", l.Lambda, unit+" of one process") +
		line("sigma", l.Sigma, "contention: the share of work done one after the other") +
		line("kappa", l.Kappa, "coherency: what each pair of processes costs")
	if knee := float64(l.Knee.Value); knee <= l.Most {
		text += fmt.Sprintf("knee     %.4g processes %s: from there on they mostly wait for one another\n", knee,
			l.Knee.interval())
	}
	switch peak := l.Fit.Peak(); {
	case math.IsInf(peak, 1) && math.IsInf(l.Limit(), 1) && l.NoExtrapolation == "":
		text += "peak     none: throughput grows with each process\n"
	case math.IsInf(peak, 1) && l.NoExtrapolation != "":
		text += "peak     none among those measured\n"
	case math.IsInf(peak, 1):
		text += fmt.Sprintf("peak     none: throughput goes towards %s %s\n", figure(l.Limit(), 6), unit)
	case peak > l.Most:
		text += fmt.Sprintf("peak     refused: it would be at %.4g processes, and nothing beyond %.4g was "+
			"measured\n", peak, l.Most)
	case peak == 1 && l.At(2) > (1-same)*l.At(1):
		text += fmt.Sprintf("peak     one process is best, with %s %s: each more makes it no more\n",
			figure(l.At(1), 6), unit)
	case peak == 1:
		text += fmt.Sprintf("peak     one process is best, with %s %s: each more makes it less\n",
			figure(l.At(1), 6), unit)
	default:
		text += fmt.Sprintf("peak     %s %s at %.4g processes %s\n", figure(l.At(peak), 6), unit, peak,
			l.Peak.interval())
	}
	text += fmt.Sprintf("error    %s %s (residual standard error)\n", figure(l.ResidualError, 4), unit)
	if worst := l.heldOutError(); worst != nil {
		text += fmt.Sprintf("held out %.1f %%: the greatest error at a count that the law was fitted without\n",
			100**worst)
	}
	if l.NoExtrapolation != "" {
		text += fmt.Sprintf("more     refused: nothing is said of more than %.4g processes: %s\n", l.Most,
			l.NoExtrapolation)
	}
	return text
}

func (e Estimate) interval() string {
	return fmt.Sprintf("[%s, %s]", figure(float64(e.Low), 4), figure(float64(e.High), 4))
}
