package platformtest

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"cordon/platform"
	"cordon/platform/arch"
)

// insCallRAX is call rax; syscall.
var insCallRAX = []byte{0xff, 0xd0, 0x0f, 0x05}

// testVDSO: the image works as a guest sees it, in place behind its parameters.
func testVDSO(m *machine) {
	m.load(insCallRAX...)
	const paramsOff, paramsAddr, imageAddr = dataOff, freeAddr, freeAddr + arch.VVARSize
	image := arch.VDSO()
	m.poke(dataOff+page, image...)
	as := m.space()
	defer as.Release()
	m.apply(as, nil, m.mapOp(paramsAddr, paramsOff, page, read), m.mapOp(imageAddr, dataOff+page, uint64(len(image)), exec))
	params := make([]byte, page)
	m.owner(func(c platform.Context) {
		const result = 8 * page
		call := func(name string, a, b uint64) (*arch.Registers, [2]uint64) {
			m.Helper()
			r := regs(0)
			r.RAX, r.RDI, r.RSI = imageAddr+arch.VDSOSymbol(name), a, b
			m.expect(c.Switch(as, r, false), platform.EventSyscall, r)
			var out [16]byte
			unix.Pread(int(m.file.FD), out[:], dataOff+result)
			return r, [2]uint64{binary.LittleEndian.Uint64(out[:]), binary.LittleEndian.Uint64(out[8:])}
		}
		// No parameters: every call is a system call, made by the function.
		for name, number := range map[string]uint64{"clock_gettime": 228, "gettimeofday": 96, "time": 201, "getcpu": 309, "clock_getres": 229} {
			if r, _ := call(name, 0, dataAddr+result); r.OrigRAX != number || r.RIP < imageAddr {
				m.Errorf("%s: call %d from %#x", name, r.OrigRAX, r.RIP)
			}
		}
		if !arch.TSCUsable() {
			m.Log("the counter is not usable here")
			return
		}
		v := measured()
		arch.UpdateParams(params, &v)
		m.poke(paramsOff, params...)
		near := func(name string, got time.Time) {
			m.Helper()
			if d := time.Since(got); d < -time.Minute || d > time.Minute {
				m.Errorf("%s is %v off", name, d)
			}
		}
		r, out := call("clock_gettime", unix.CLOCK_REALTIME, dataAddr+result)
		if r.OrigRAX != 0 || r.RIP != codeAddr+4 || out[1] >= 1e9 {
			m.Errorf("clock_gettime: %d, %d at %#x", r.OrigRAX, out, r.RIP)
		}
		near("clock_gettime", time.Unix(int64(out[0]), int64(out[1])))
		_, out = call("gettimeofday", dataAddr+result, 0)
		if out[1] >= 1e6 {
			m.Errorf("gettimeofday: %d", out)
		}
		near("gettimeofday", time.Unix(int64(out[0]), int64(out[1])*1000))
		r, _ = call("time", 0, 0)
		near("time", time.Unix(int64(r.OrigRAX), 0))
		if _, out = call("clock_getres", unix.CLOCK_REALTIME, dataAddr+result); out != [2]uint64{0, 1} {
			m.Errorf("clock_getres: %d", out)
		}
		if r, _ = call("getcpu", dataAddr+result, 0); r.OrigRAX != 309 {
			m.Errorf("getcpu: call %d", r.OrigRAX)
		}
		// A clock without parameters is a system call still.
		if r, _ = call("clock_gettime", unix.CLOCK_MONOTONIC, dataAddr+result); r.OrigRAX != 228 {
			m.Errorf("call %d", r.OrigRAX)
		}
	})
}

// measured returns parameters of a realtime clock by a short measurement of the
// counter.
func measured() arch.VVAR {
	start, startTSC := time.Now(), arch.TSC()
	for time.Since(start) < 5*time.Millisecond {
	}
	now, tsc := time.Now(), arch.TSC()
	v := arch.VVAR{BaseTSC: tsc}
	v.Clocks[unix.CLOCK_REALTIME] = arch.VVARClock{
		Valid: true, Seconds: now.Unix(), Nanoseconds: uint64(now.Nanosecond()),
		Mult: arch.Mult(uint64(now.Sub(start)), tsc-startTSC),
	}
	return v
}
