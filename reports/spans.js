// readSpans answers where a span was, from StorySpans.
const readSpans = data => ({find: () => null, why: () => ''})
