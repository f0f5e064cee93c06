// Package task holds processes: tasks (threads), thread groups, process groups
// and sessions, their signals, waiting, creation, exec and exit.
//
// # Objects
//
// System is what all tasks of a sandbox share. A Task is one guest thread, with a
// platform context. A worker, a goroutine locked to an OS thread, runs it: from its
// start to its end, or until it sleeps aside. A ThreadGroup is a
// process; a ProcessGroup and a Session are what job control makes of them.
// An FSContext is a root, a working directory and an umask (CLONE_FS). A
// Container labels the processes of one container. A PIDNamespace numbers
// processes; a Namespaces is the set of the others that clone and unshare make.
// A tracing ties a tracee to its tracer (ptrace(2)).
//
// # A task's life
//
// Clone or NewInit makes a task and Start runs its goroutine. It alternates
// between the guest (Context.Switch) and the Sentry until it exits:
//
//	             ┌────────── signals, stops ──────────┐
//	             ▼                                    │
//	New ──▶ Running (guest ⇄ system call, fault) ──▶ Stopped, Traced, Frozen
//	             │  ├──▶ WaitVfork ──▶ Running
//	             │  └──▶ WaitSiblings (exec) ──▶ Running
//	             ▼
//	          Exiting ──▶ Zombie ──▶ Dead (reaped)
//
// The states that Linux sleeps in uninterruptibly (WaitVfork, WaitSiblings)
// and those that last (Stopped, Traced, Frozen) are run states with a name: what a
// checkpoint must keep lies in the Task, never on its goroutine's stack. An
// ordinary sleep in a system call is interrupted for a checkpoint as for a
// signal without a handler, and the call is restarted. One that a task sleeps aside in lies
// in Task.pause, and ends so too.
//
// # Locking
//
// System.tree guards who is whose parent, member, leader and zombie, and is the
// first lock taken. ThreadGroup.mu, after it, guards pending signals, masks,
// stops and itimers of a group and of all its tasks. Which threads a group has
// and how far each one's end has come changes under both locks, so that either
// is enough to look. Fields marked task-only
// belong to the task's own goroutine; others read them only while it is parked.
//
// # Waking
//
// Everything that can end a task's sleep puts a token into Task.wake and the
// sleeper looks again at what it waits for. Task.work says what has to be done
// before the guest runs on; whoever sets a bit kicks the task, which gets it out
// of the guest or out of its sleep.
//
// A task that sleeps aside (SleepAside: FUTEX_WAIT, where the platform allows it) has no
// worker. Whoever puts its token passes it on to the list of those that wait for one. A
// worker whose task sleeps aside takes the first of the list; another is called unless
// who wakes is likely to do that next (BeginWaking), and is when it turns out not to.
//
// # Checkpoint
//
// Saved with every task frozen: registers and extended state, pending signals,
// masks, timers, identities, tree. Rebuilt: goroutines and contexts.
//
// # Differences
//
// A core file goes by the default coredump_filter to "core" in the working
// directory; core_pattern cannot be changed. One that a checkpoint or a pause
// meets before all threads have halted is not written.
//
// A tracee has no debug registers, and its tracer cannot step by branches.
//
// The end of a PID namespace does not wait for zombies whose parent is outside.
// All file systems and IPC namespaces belong to the first user namespace.
package task
