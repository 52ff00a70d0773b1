package flusher

const (
	// abreastMin is how many shards a worker has that are asked about several at a time: fewer are served
	// as fast one after the other.
	abreastMin = 4
	// abreastMax is about how many at most. The store sends together what is asked together, which costs
	// each server far less than call after call; but a worker gives a sign of life only between two
	// rounds, and a Redis does nothing else meanwhile.
	abreastMax = 32
)

// together does n things at the same time, and returns when all are done. It calls done after each, in
// their order. What panics there panics here.
func together(tasks Tasks, name string, n int, do func(i int), done func()) {
	started, panics := make([]Task, n), make([]any, n)
	for i := range started {
		started[i] = tasks.Go(name, func() {
			returned := false
			defer func() {
				if !returned {
					panics[i] = recover()
				}
			}()
			do(i)
			returned = true
		})
	}
	for _, task := range started {
		task.Wait()
		done()
	}
	for _, reason := range panics {
		if reason != nil {
			panic(reason)
		}
	}
}
