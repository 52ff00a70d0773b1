package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/internal/capacity"
	"sluice/internal/options"
	"sluice/internal/usl"
	"sluice/reports"
)

// fitCommand is "simulate fit".
type fitCommand struct {
	File string `arg:"" help:"CSV file with the columns processes and throughput, and perhaps weight (above 0) or error (standard); - for standard input."`
	JSON bool   `name:"json" help:"Print the fit as JSON."`
}

// The columns of a file of points.
const (
	columnProcesses  = capacity.ColumnProcesses
	columnThroughput = capacity.ColumnThroughput
	columnWeight     = "weight"
	// columnFailed is a column of the points.csv of capacity.
	columnFailed = "failed"
)

// Run fits the law to a file's points.
func (c *fitCommand) Run(to *streams) error {
	file := os.Stdin
	if c.File != "-" {
		opened, err := os.Open(c.File)
		if err != nil {
			return usageError{err}
		}
		defer opened.Close()
		file = opened
	}
	points, err := readPoints(withoutMark(file))
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", c.File, err)}
	}
	fit, err := capacity.LawOf(points)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", c.File, err)}
	}
	if c.JSON {
		return reports.WriteJSON(to.out, fit)
	}
	_, err = io.WriteString(to.out, fit.Text("per second"))
	return err
}

// readPoints reads the points of a CSV file, whose first line names the columns in any order.
func readPoints(r io.Reader) ([]usl.Point, error) {
	rows := csv.NewReader(r)
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("there is no header: the first line is processes,throughput")
	}
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("1: the column %s is there twice", name)
		}
		at[name] = i
	}
	for _, name := range []string{columnProcesses, columnThroughput} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("1: no column %s in %v: the first line is processes,throughput", name, header)
		}
	}
	_, weights := at[columnWeight]
	if _, too := at[capacity.ColumnError]; weights && too {
		return nil, fmt.Errorf("1: the columns %s and %s are both there, and a point counts by one of them: leave out %[2]s to "+
			"count by the weights, or %[1]s for intervals by the standard errors", columnWeight, capacity.ColumnError)
	}
	var points []usl.Point
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("%d: %s, and the first line has %d", line, options.FormatCount(len(row), "value"), len(header))
		}
		if err != nil {
			return nil, err
		}
		var p usl.Point
		// In a report's points.csv, 0 says that no rate was too high: what was sustained is no measurement.
		if i, ok := at[columnFailed]; ok && strings.TrimSpace(row[i]) == "0" {
			line, column := rows.FieldPos(i)
			return nil, fmt.Errorf("%d:%d: no rate was too high in this search, so its throughput is only a lower bound: "+
				"run capacity with a higher --most, or leave the row out", line, column)
		}
		for name, v := range map[string]*float64{columnProcesses: &p.Processes,
			columnThroughput: &p.Throughput, columnWeight: &p.Weight, capacity.ColumnError: &p.Error} {
			i, ok := at[name]
			if !ok {
				continue
			}
			*v, err = parseFigure(strings.TrimSpace(row[i]))
			if err == nil && name == columnWeight && *v <= 0 {
				err = errors.New("no weight: want more than 0; leave out what does not count")
			}
			if err != nil {
				line, column := rows.FieldPos(i)
				return nil, fmt.Errorf("%d:%d: %s %q is %w", line, column, name, row[i], err)
			}
		}
		points = append(points, p)
	}
}
