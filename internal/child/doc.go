// Package child has what every process has in common that this program starts of itself: a worker
// (spawn) and an instance of the pipeline (instance). Three pipes tie it to its parent:
//
//	stdin   parent -> child   orders, one JSON line each
//	fd 3    child -> parent   reports, one JSON line each
//	stderr  child -> parent   its log, one JSON line per record
//
// Only the parent holds the other end of stdin, so its death is an end of file there.
package child
