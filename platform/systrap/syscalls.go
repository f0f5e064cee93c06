package systrap

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"cordon/platform/stub"
)

// headerTID is the offset of header.tid.
const headerTID = 0xf8

// randomSecret draws what the filter and the leaders share.
func randomSecret(s *secret) error {
	var b [8]byte
	if _, err := unix.Getrandom(b[:], 0); err != nil {
		return err
	}
	s[0], s[1] = binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint32(b[4:])
	return nil
}

// SentrySyscalls is what the platform asks the host for after StartZygote, for the
// Sentry's own filter. Arguments are the Sentry's own values, never a guest's.
func SentrySyscalls() []stub.Rule {
	return []stub.Rule{
		{Number: unix.SYS_FUTEX, Name: "futex", Why: "waits for a guest, wakes it"},
		{Number: unix.SYS_WAIT4, Name: "wait4", Why: "waits for the zygote's end"},
		{Number: unix.SYS_WAITID, Name: "waitid", Why: "looks whether the zygote is alive"},
		{Number: unix.SYS_PIDFD_OPEN, Name: "pidfd_open", Why: "learns when a stub has ended"},
		{Number: unix.SYS_POLL, Name: "poll", Why: "waits for a stub's end"},
		{Number: unix.SYS_PPOLL, Name: "ppoll", Why: "waits for a leader's report"},
		{Number: unix.SYS_EVENTFD2, Name: "eventfd2", Why: "a leader's report"},
		{Number: unix.SYS_READ, Name: "read", Why: "a leader's report"},
		{Number: unix.SYS_PREAD64, Name: "pread64", Why: "the host's load average"},
		{Number: unix.SYS_TGKILL, Name: "tgkill", Why: "interrupts a guest thread"},
		{Number: unix.SYS_KILL, Name: "kill", Why: "ends a stub or the zygote"},
		{Number: unix.SYS_SCHED_SETAFFINITY, Name: "sched_setaffinity", Why: "keeps a guest thread and its owner on one CPU"},
		{Number: unix.SYS_SCHED_GETAFFINITY, Name: "sched_getaffinity", Why: "learns which CPUs may be used"},
		{Number: unix.SYS_SCHED_SETSCHEDULER, Name: "sched_setscheduler", Why: "keeps owners of one CPU from taking it from each other"},
		{Number: unix.SYS_SCHED_YIELD, Name: "sched_yield", Why: "lets another owner have the CPU"},
		{Number: unix.SYS_GETCPU, Name: "getcpu", Why: "starts a guest thread on its maker's CPU"},
		{Number: unix.SYS_GETTID, Name: "gettid", Why: "names an owner for sched_setaffinity"},
		{Number: unix.SYS_CLOCK_GETTIME, Name: "clock_gettime", Why: "CPU time of a guest thread's owner"},
		{Number: unix.SYS_SENDMSG, Name: "sendmsg", Why: "commands the zygote and donates files to it"},
		{Number: unix.SYS_RECVMSG, Name: "recvmsg", Why: "reads the zygote's answers"},
		{Number: unix.SYS_CLOSE, Name: "close", Why: "forgets a stub; ends the zygote by closing its socket"},
	}
}
