package buffer

// Touch has the processor fetch bytes into its caches that are about to be read, all of them at once:
// who reads along waits for one line of memory after the other. It is worth it for what was written so
// long ago, or so much ago, that it has left them. What it returns means nothing.
//
//go:noinline
func Touch(text []byte) (sum byte) { // not inlined: the compiler would see that nobody needs the sum
	const line = 64
	for at := 0; at < len(text); at += line {
		sum ^= text[at]
	}
	return sum
}
