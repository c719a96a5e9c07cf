// Package live judges a capture that goes on: the same judgement as of a file, again and again, of everything that was seen
// since the start.
//
// # Who waits for whom
//
// Nobody's slowness reaches the capture. It runs in goroutines of its own; a [Session] takes a snapshot, judges it and
// writes it down in another one, never two at a time, and spends at most a tenth of its time on that, or more where a table
// grows so fast that it would never be judged; watchers are told of what came out, and must not block.
//
// # What survives
//
// An [Archive] holds whole reports only: a folder of files appears under its name when all of them are on disk. Between
// reports the flows are kept in a checkpoint, once a second where writing it takes less than a tenth of that and no judgement
// is under way. A run that was killed is taken up by the next one from there, and the gap is said.
package live
