// Package native runs the programs of test/prog in the sandbox and compares
// what they see with what they saw on a Linux host, which is recorded in want/:
//
//	go test ./test/native                     the sandbox on ptrace and systrap, and sim
//	go test ./test/native -record             run on this host and record it
//	go test ./test/native -host               check this host against the record
//	go test ./test/native -only files/append  these programs only
//	go test ./test/native -seed 7             another schedule on sim
//	go test ./test/native -before 12          a checkpoint before this call only
//
// On sim a seed decides the order of everything, time is virtual and random
// numbers are the seed's, so a run that failed is had again by its seed: each
// failure names the command.
//
// known.txt lists programs that differ, each with the reason. It can only
// shrink: a listed program that agrees is a failure too.
package native
