// Package netfilter is nf_tables for one network namespace: tables of chains of rules, which decide about packets at the
// hooks of a netstack.Stack and translate their addresses (nft(8), iptables(8)).
//
// # Objects
//
// A Ruleset has everything that a guest can list: tables, chains, rules and sets. It changes by a Batch, all of whose
// messages count or none. Rules are kept as the guest gave them, and as steps that run: an expression that has no step is
// refused with ENOENT, so that no rule is there that does not work. The matches and targets of iptables are among the steps.
//
// A tracker follows connections as far as rules ask for their state. Addresses are translated by the stack.
//
// # Locking
//
// Ruleset.mu (rank Netfilter) guards the objects and is held by a Batch from its beginning to its end. Packets are judged
// without it, by an immutable program that each change makes anew; counters are atomic. tracker.mu (rank ConnTrack) is a leaf
// that the stack takes, whatever the stack's user holds.
//
// # Checkpoint
//
// Saved: all objects with their counters. Connections are not: one that was established begins anew at its next packet.
//
// # Differences
//
// Chains are at the hooks of ip, ip6 and inet; there are no bridge, arp and netdev families, no stateful objects, flow
// tables, time-outs, concatenations or expressions beyond those of Names. A chain's priority decides before or after which of
// the stack's own steps it runs, and its order among others there.
package netfilter
