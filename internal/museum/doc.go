// Package museum shows each failure that systems of this kind had: put back as a defect it is
// caught, in the invariant that is named, and only with the defect. Its test finds them in the
// scenario of the library that gives the occasion, keeps the least scenario that shows each in
// scenarios/museum, and writes docs/museum.md.
package museum
