#pragma once

// The clock of one process's machine, set by a test: a library to be loaded before all others (LD_PRELOAD).
//
// WRONG_CLOCK_FILE names a file of 8 bytes, a signed number in the machine's own order: by how many seconds the clock is
// ahead. It may be written to while the process runs. clock_gettime, gettimeofday and time tell the wrong time then;
// clocks that nobody can set, and timers and waits on them, are left alone.
//
// libfaketime does not do: it takes its offset from every absolute timerfd, also from those on the monotonic clock, which
// is what libdispatch sleeps with. A clock that is set back by an hour then stops every Task.sleep for an hour, which no
// real clock does.
