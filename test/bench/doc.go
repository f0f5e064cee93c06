// Command bench prints what things cost natively and in a sandbox, side by side
// from one run.
//
// A row is measured by a C program (guest/costs.c for system calls, growth.c
// for costs as work grows), by a shell script that runs real programs, or from
// outside (start, idle). For each row the runtimes take turns for some rounds,
// and a figure is the median of its rounds. A row whose program is not
// installed is skipped, and a row that fails says so and leaves the others
// alone. Figures are never a test: docs/bench.md says what they were and what
// they should be. With -profile nothing is measured: perf(1) records where the CPU
// time of rows goes.
package main
