// Command bench prints what things cost natively and in a sandbox, side by side
// from one run. A static C program (guest/costs.c) measures inside; rounds
// alternate between the runtimes, and each figure is the median of the rounds.
// Figures are never a test: docs/bench.md says what they were and what they
// should be.
package main
