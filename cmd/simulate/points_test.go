package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/judge"
)

// TestFitOfFilesAsTheyCome: with a mark before their first word, with what no machine can do, or with a
// throughput that only falls.
func TestFitOfFilesAsTheyCome(t *testing.T) {
	const exact = "processes,throughput\n1,1\n2,1.8868\n4,3.0769\n6,3.5294\n8,3.5398\n10,3.3557\n"
	for text, c := range map[string]struct {
		code int
		want string
	}{
		"\ufeff" + exact:   {0, "at 7 processes"},
		exact + "12,1e308": {judge.ExitUsage, `8:4: throughput "1e308" is beyond sense: want 1e-15 to 1e+15`},
		exact + "1e-99,3":  {judge.ExitUsage, `8:1: processes "1e-99" is beyond sense`},
		exact + "12,1e999": {judge.ExitUsage, `8:4: throughput "1e999" is beyond sense`},
		exact + "12,NaN":   {judge.ExitUsage, `8:4: throughput "NaN" is not a number`},
		"processes,throughput\n1,1000\n2,500\n4,250\n8,125\n16,60\n": {0, "peak     one process is best, with " +
			"999.981 per second: each more makes it less\n"},
		"processes,throughput\n1,60000\n2,60000\n4,60000\n8,60000\n16,60000\n": {0, "peak     one process is best, with " +
			"60,000 per second: each more makes it no more\n"},
		"processes,throughput\n1,10\n2,20\n3,30\n4,40\n5,50\n": {0, "peak     none among those measured\n"},
		"processes,throughput,weight,error\n1,1,1,1\n2,2,1,1\n": {judge.ExitUsage, "1: the columns weight and error are both there, and a " +
			"point counts by one of them: leave out error to count by the weights, or weight for intervals by the standard errors\n"},
		"processes , throughput\r\n" + strings.ReplaceAll(exact[len("processes,throughput\n"):], ",", " , "): {0, "at 7 processes"},
		"":                                      {judge.ExitUsage, "there is no header: the first line is processes,throughput\n"},
		"processes,throughput,processes\n1,1,2": {judge.ExitUsage, "1: the column processes is there twice"},
		"processes,throughput\n1,1\n2\n":        {judge.ExitUsage, "3: 1 value, and the first line has 2"},
		"processes,throughput\n1,1\n1,2\n":      {judge.ExitUsage, "different process counts: 1, want at least 4"},
		"processes,throughput,failed\n1,10,11\n2,19,0\n3,24,26\n4,28,30\n": {judge.ExitUsage, "points.csv: 3:6: no rate was too high in this search"},
		"processes,throughput,error\n1,1,0\n2,2,1\n3,2,1\n4,2,1\n":         {judge.ExitUsage, "points.csv: point 1: standard error 0, want above 0"},
		"processes,throughput,weight\n1,1,2\n2,2,0\n":                      {judge.ExitUsage, `3:5: weight "0" is no weight: want more than 0`},
		"processes,throughput,weight\n1,1,-2\n":                            {judge.ExitUsage, `2:5: weight "-2" is no weight`},
		// The greatest of everything.
		"processes,throughput\n1,1e15\n2,1e15\n1e15,1e15\n4,1e-15\n1e-15,1e15\n": {0, "1.547e+15]  per second"},
	} {
		path := filepath.Join(t.TempDir(), "points.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, errs := call("fit", path)
		if code != c.code || !strings.Contains(out+errs, c.want) || strings.Contains(out, "NaN") ||
			strings.Contains(out, "-9,223") {
			t.Errorf("%q: exit code %d, want %q\n%s%s", text, code, c.want, out, errs)
		}
		if as, out, errs := call("fit", path, "--json"); as != code || strings.Contains(out, "NaN") {
			t.Errorf("%q as JSON: exit code %d\n%s%s", text, as, out, errs)
		}
	}
}
