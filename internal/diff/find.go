package diff

// test makes the tests of all rows that are judged and can have a result, and corrects them for
// their number. A row that cannot, whatever its values are, costs the others nothing: Tarone, A
// Modified Bonferroni Method for Discrete Data, 1990.
func (c *Comparison) test() {
	var ps []float64
	var of []*float64
	for i := range c.Rows {
		row := &c.Rows[i]
		row.Certain = row.constants()
		if !row.judged || row.Certain || row.equal() || row.bounds() || leastP(row.A.N, row.B.N) > c.Alpha {
			continue
		}
		row.tested = true
		if a, b, apart := row.nearest(); apart { // else p is 1
			row.Ranks, row.Shape = rankTest(a, b), shapeTest(a, b)
		}
		ps = append(ps, row.Ranks, row.Shape)
		of = append(of, &row.Ranks, &row.Shape)
	}
	c.Tests = len(ps)
	for i, p := range correct(ps) {
		*of[i] = p
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.split = row.Shape <= c.Alpha; row.split {
			a, b, _ := row.nearest()
			row.leastUp, row.leastDown = movedLeast(a, b)
		}
		row.Certain = row.Certain || row.split || row.Ranks <= c.Alpha
	}
}

// needed is how many values each side must have for a difference of any row to be certain.
func (c *Comparison) needed() int {
	tests, n := 0, 2
	for i := range c.Rows {
		if row := &c.Rows[i]; row.judged && !row.constants() && !row.equal() && !row.bounds() {
			tests += 2
		}
	}
	for leastP(n, n)*float64(tests) > c.Alpha {
		n++
	}
	return n
}

// few tells whether a row has so few values that no difference could be certain, however great.
func (c *Comparison) few(row *Row) bool {
	return leastP(row.A.N, row.B.N)*float64(max(c.Tests, 1)) > c.Alpha && !row.overlap() && !row.bounds()
}

// find says what was found of each row.
func (c *Comparison) find() {
	least := c.LeastEffect
	for i := range c.Rows {
		row := &c.Rows[i]
		up := row.surely(true, least, row.share)
		down := row.surely(false, least, row.share)
		within := row.Interval != nil && max(row.share(row.Interval.High), -row.share(row.Interval.Low)) <= least
		switch {
		case row.bounds():
			row.Finding = FoundBounds
		case row.equal():
			row.Finding = FoundSame
		case row.Certain && row.Better == Neither && (up || down):
			row.Finding = FoundOther
		case row.Certain && (up && row.Better == Lower || down && row.Better == Higher):
			row.Finding = FoundWorse
		case row.Certain && (up || down):
			row.Finding = FoundBetter
		case row.Certain && (row.beyond(true, least, row.share) || row.beyond(false, least, row.share)):
			row.Finding = FoundUnclear
		case row.Certain:
			row.Finding = FoundSmall
		case within:
			row.Finding = FoundSame
		case !row.judged:
			row.Finding = FoundNone
		case c.few(row):
			row.Finding = FoundTooFew
		default:
			row.Finding = FoundUnclear
		}
	}
}
