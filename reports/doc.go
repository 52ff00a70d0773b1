// Package reports turns what a run recorded into tables and pictures.
//
// A run records once, as it happens: Event values in events.ndjson, Sample values in samples.csv,
// and at its end a Result in result.json. Every view is derived from these files later: NewTimeline
// gives rates, backlog, memory, freshness and use of processors over time, with the faults and one
// lane per worker; NewSweep gives throughput against process count. The charts draw such a view and
// decide nothing; a Page puts it all together. Its timeline, on which one can move, shows a Story,
// which also has what was Watched in the run: stages of workers, owners of shards, ways of spans. The
// same timeline shows the steps of a search in a SearchPage. What it draws and answers is in
// timeline.js and spans.js, without a build step.
package reports
