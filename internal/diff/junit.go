package diff

import (
	"encoding/xml"
	"io"

	"sluice/reports"
)

// testSuite is what JUnit writes of a suite, as continuous integration reads it: a judgement is a
// case, one that is violated a failure, and one that is unknown an error.
type testSuite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *problem `xml:"failure"`
	Error   *problem `xml:"error"`
	Output  string   `xml:"system-out,omitempty"`
}

type problem struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the judgements as JUnit XML.
func (c *Comparison) WriteJUnit(w io.Writer) error {
	suite := testSuite{Name: "simulate diff " + c.A.Dir + " " + c.B.Dir}
	add := func(j reports.Judgement) {
		one := testCase{Class: "simulate.diff", Name: j.Name, Output: j.Detail}
		switch j.Verdict {
		case reports.Violated:
			one.Failure = &problem{j.Detail}
			suite.Failures++
		case reports.Unknown:
			one.Error = &problem{j.Detail}
			suite.Errors++
		}
		suite.Tests++
		suite.Cases = append(suite.Cases, one)
	}
	for _, j := range c.Judgements {
		add(j)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
