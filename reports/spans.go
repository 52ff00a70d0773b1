package reports

// StorySpans tells where spans were.
type StorySpans struct{}
