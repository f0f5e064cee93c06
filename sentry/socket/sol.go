package socket

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// Common is the table of SOL_SOCKET for all families. It does not change.
var Common = NewTable(commonFilter, commonFlags, commonValues, commonReadOnly, commonAbsent)

func flagRow(opt linux.SockOpt, f OptionFlags, s Support, note string) Row[*Base] {
	return Row[*Base]{
		linux.SOL_SOCKET, int32(opt), opt.String(),
		func(b *Base, c *OptionCall) error { return c.PutFlag(b.Has(f)) },
		func(b *Base, c *OptionCall) error {
			on, err := c.Flag()
			if err != nil {
				return err
			}
			return b.update(c, func(o *Options) {
				o.Flags &^= f
				if on {
					o.Flags |= f
				}
			})
		},
		s, note,
	}
}

var commonFlags = []Row[*Base]{
	flagRow(linux.SO_REUSEADDR, ReuseAddr, Full, ""),
	flagRow(linux.SO_REUSEPORT, ReusePort, Full, ""),
	flagRow(linux.SO_KEEPALIVE, KeepAlive, Full, ""),
	flagRow(linux.SO_BROADCAST, Broadcast, Full, ""),
	flagRow(linux.SO_OOBINLINE, OOBInline, Partial, "urgent data is not supported, so that it makes no difference"),
	flagRow(linux.SO_NO_CHECK, NoCheck, Full, ""),
	flagRow(linux.SO_DONTROUTE, DontRoute, Partial, "kept; gateways are used all the same"),
	flagRow(linux.SO_PASSCRED, PassCred, Full, ""),
	{
		linux.SOL_SOCKET, int32(linux.SO_TIMESTAMP), "SO_TIMESTAMP",
		func(b *Base, c *OptionCall) error { return c.PutFlag(b.Has(TimestampUS)) }, setTimestamp(TimestampUS), Full, "",
	},
	{
		linux.SOL_SOCKET, int32(linux.SO_TIMESTAMPNS), "SO_TIMESTAMPNS",
		func(b *Base, c *OptionCall) error { return c.PutFlag(b.Has(TimestampNS)) }, setTimestamp(TimestampNS), Full, "",
	},
}

// setTimestamp: as in Linux, one form rules the other out, and turning either off turns both off.
func setTimestamp(f OptionFlags) func(*Base, *OptionCall) error {
	return func(b *Base, c *OptionCall) error {
		on, err := c.Flag()
		if err != nil {
			return err
		}
		return b.update(c, func(o *Options) {
			o.Flags &^= TimestampUS | TimestampNS
			if on {
				o.Flags |= f
			}
		})
	}
}

var commonValues = []Row[*Base]{
	{linux.SOL_SOCKET, int32(linux.SO_SNDBUF), "SO_SNDBUF", getSendBuffer, setBuffer(false), Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_RCVBUF), "SO_RCVBUF", getReceiveBuffer, setBuffer(false), Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_SNDBUFFORCE), "SO_SNDBUFFORCE", nil, setBuffer(true), Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_RCVBUFFORCE), "SO_RCVBUFFORCE", nil, setBuffer(true), Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_RCVTIMEO), "SO_RCVTIMEO", getTimeout, setTimeout, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_SNDTIMEO), "SO_SNDTIMEO", getTimeout, setTimeout, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_RCVTIMEO_NEW), "SO_RCVTIMEO_NEW", getTimeout, setTimeout, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_SNDTIMEO_NEW), "SO_SNDTIMEO_NEW", getTimeout, setTimeout, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_LINGER), "SO_LINGER", getLinger, setLinger, Partial, "close does not wait; a time of 0 resets"},
	{linux.SOL_SOCKET, int32(linux.SO_RCVLOWAT), "SO_RCVLOWAT", getRcvLowat, setRcvLowat, Partial, "readiness begins with the first byte"},
	{linux.SOL_SOCKET, int32(linux.SO_PRIORITY), "SO_PRIORITY", getPriority, setPriority, Partial, "kept; there are no queues to choose from"},
	{linux.SOL_SOCKET, int32(linux.SO_MARK), "SO_MARK", getMark, setMark, Partial, "kept; no rule looks at it"},
	{linux.SOL_SOCKET, int32(linux.SO_BUF_LOCK), "SO_BUF_LOCK", getBufLock, nil, Partial, "read only"},
}

func getSendBuffer(b *Base, c *OptionCall) error {
	o := b.Options()
	n, _ := b.hooks.Buffers(&o)
	return c.PutInt(2 * n)
}

func getReceiveBuffer(b *Base, c *OptionCall) error {
	o := b.Options()
	_, n := b.hooks.Buffers(&o)
	return c.PutInt(2 * n)
}

func setBuffer(forced bool) func(*Base, *OptionCall) error {
	return func(b *Base, c *OptionCall) error {
		v, err := c.Int()
		if err != nil {
			return err
		}
		k := b.ns.Knobs()
		top := int(k.WmemMax)
		if linux.SockOpt(c.Opt) == linux.SO_RCVBUF {
			top = int(k.RmemMax)
		}
		if forced {
			if !b.ns.Capable(c.Caller, linux.CAP_NET_ADMIN) {
				return linux.EPERM
			}
			top = forcedMax
		} else if v < 0 {
			v = top // as in Linux, which compares without sign
		}
		v = min(max(v, 0), top)
		opt := linux.SockOpt(c.Opt)
		return b.update(c, func(o *Options) {
			if opt == linux.SO_SNDBUF || opt == linux.SO_SNDBUFFORCE {
				o.SendBuffer, o.Flags = max(v, MinSendBuffer), o.Flags|SendLocked
			} else {
				o.ReceiveBuffer, o.Flags = max(v, MinRecvBuffer), o.Flags|ReceiveLocked
			}
		})
	}
}

func getBufLock(b *Base, c *OptionCall) error {
	v := 0
	if b.Has(SendLocked) {
		v |= 1
	}
	if b.Has(ReceiveLocked) {
		v |= 2
	}
	return c.PutInt(v)
}

func getTimeout(b *Base, c *OptionCall) error {
	r, s := b.Timeouts()
	ns := r
	if o := linux.SockOpt(c.Opt); o == linux.SO_SNDTIMEO || o == linux.SO_SNDTIMEO_NEW {
		ns = s
	}
	if ns == NoTimeout {
		ns = 0
	}
	tv := linux.TimevalFromNS(ns)
	out := binary.LittleEndian.AppendUint64(nil, uint64(tv.Sec))
	return c.Put(binary.LittleEndian.AppendUint64(out, uint64(tv.Usec)))
}

func setTimeout(b *Base, c *OptionCall) error {
	if len(c.Value) < 16 {
		return linux.EINVAL
	}
	tv := linux.Timeval{Sec: int64(binary.LittleEndian.Uint64(c.Value)), Usec: int64(binary.LittleEndian.Uint64(c.Value[8:]))}
	if tv.Usec < 0 || tv.Usec >= 1_000_000 {
		return linux.EDOM
	}
	ns := int64(0) // a negative time has passed already
	if tv.Sec >= 0 {
		ns = tv.ToNS()
		if ns == 0 {
			ns = NoTimeout
		}
	}
	opt := linux.SockOpt(c.Opt)
	return b.update(c, func(o *Options) {
		if opt == linux.SO_SNDTIMEO || opt == linux.SO_SNDTIMEO_NEW {
			o.SendTimeout = ns
		} else {
			o.ReceiveTimeout = ns
		}
	})
}

func getLinger(b *Base, c *OptionCall) error {
	o := b.Options()
	on := uint32(0)
	if o.LingerOn {
		on = 1
	}
	out := binary.LittleEndian.AppendUint32(nil, on)
	return c.Put(binary.LittleEndian.AppendUint32(out, uint32(o.LingerSec)))
}

func setLinger(b *Base, c *OptionCall) error {
	if len(c.Value) < 8 {
		return linux.EINVAL
	}
	on, sec := binary.LittleEndian.Uint32(c.Value) != 0, int32(binary.LittleEndian.Uint32(c.Value[4:]))
	return b.update(c, func(o *Options) {
		o.LingerOn = on
		if on {
			o.LingerSec = sec
		}
	})
}

func getRcvLowat(b *Base, c *OptionCall) error { o := b.Options(); return c.PutInt(int(o.RcvLowat)) }

func setRcvLowat(b *Base, c *OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < 0 {
		v = 1<<31 - 1
	}
	return b.update(c, func(o *Options) { o.RcvLowat = int32(max(v, 1)) })
}

func getPriority(b *Base, c *OptionCall) error { o := b.Options(); return c.PutInt(int(o.Priority)) }

func setPriority(b *Base, c *OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if (v < 0 || v > 6) && !b.ns.Capable(c.Caller, linux.CAP_NET_ADMIN) && !b.ns.Capable(c.Caller, linux.CAP_NET_RAW) {
		return linux.EPERM
	}
	return b.update(c, func(o *Options) { o.Priority = int32(v) })
}

func getMark(b *Base, c *OptionCall) error { o := b.Options(); return c.PutInt(int(o.Mark)) }

func setMark(b *Base, c *OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if !b.ns.Capable(c.Caller, linux.CAP_NET_ADMIN) && !b.ns.Capable(c.Caller, linux.CAP_NET_RAW) {
		return linux.EPERM
	}
	return b.update(c, func(o *Options) { o.Mark = uint32(v) })
}

var commonReadOnly = []Row[*Base]{
	{linux.SOL_SOCKET, int32(linux.SO_TYPE), "SO_TYPE", func(b *Base, c *OptionCall) error { return c.PutInt(int(b.info.Type)) }, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_DOMAIN), "SO_DOMAIN", func(b *Base, c *OptionCall) error { return c.PutInt(int(b.info.Family)) }, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_PROTOCOL), "SO_PROTOCOL", func(b *Base, c *OptionCall) error { return c.PutInt(int(b.info.Protocol)) }, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_ACCEPTCONN), "SO_ACCEPTCONN", func(b *Base, c *OptionCall) error { return c.PutFlag(b.hooks.Listening()) }, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_SNDLOWAT), "SO_SNDLOWAT", func(_ *Base, c *OptionCall) error { return c.PutInt(1) }, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_ERROR), "SO_ERROR", getError, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_COOKIE), "SO_COOKIE", getCookie, nil, Full, ""},
	{linux.SOL_SOCKET, int32(linux.SO_INCOMING_CPU), "SO_INCOMING_CPU", func(_ *Base, c *OptionCall) error { return c.PutInt(-1) }, nil, Partial, "always unknown"},
	{linux.SOL_SOCKET, int32(linux.SO_BPF_EXTENSIONS), "SO_BPF_EXTENSIONS", func(_ *Base, c *OptionCall) error { return c.PutInt(0) }, nil, Partial, "there are no extensions"},
	{linux.SOL_SOCKET, int32(linux.SO_BSDCOMPAT), "SO_BSDCOMPAT", func(_ *Base, c *OptionCall) error { return c.PutInt(0) }, func(*Base, *OptionCall) error { return nil }, Full, "does nothing in Linux either"},
	{linux.SOL_SOCKET, int32(linux.SO_DEBUG), "SO_DEBUG", func(_ *Base, c *OptionCall) error { return c.PutInt(0) }, setDebug, Full, "does nothing in Linux either"},
}

func setDebug(b *Base, c *OptionCall) error {
	on, err := c.Flag()
	if err == nil && on && !b.ns.Capable(c.Caller, linux.CAP_NET_ADMIN) {
		return linux.EACCES
	}
	return err
}

func getError(b *Base, c *OptionCall) error {
	err := b.hooks.TakeError()
	if e, ok := err.(linux.Errno); ok {
		return c.PutInt(int(e))
	}
	return c.PutInt(0)
}

func getCookie(b *Base, c *OptionCall) error {
	if c.Size < 8 {
		return linux.EINVAL
	}
	return c.Put(binary.LittleEndian.AppendUint64(nil, b.cookie.Load()))
}

// commonAbsent are refused as by a Linux without the feature.
var commonAbsent = absentRows(
	linux.SO_ATTACH_BPF,
	linux.SO_ATTACH_REUSEPORT_CBPF, linux.SO_ATTACH_REUSEPORT_EBPF, linux.SO_DETACH_REUSEPORT_BPF, linux.SO_BUSY_POLL,
	linux.SO_PREFER_BUSY_POLL, linux.SO_BUSY_POLL_BUDGET, linux.SO_MAX_PACING_RATE, linux.SO_TIMESTAMPING,
	linux.SO_TIMESTAMPING_NEW, linux.SO_RXQ_OVFL, linux.SO_WIFI_STATUS, linux.SO_NOFCS, linux.SO_SELECT_ERR_QUEUE,
	linux.SO_CNX_ADVICE, linux.SO_MEMINFO, linux.SO_INCOMING_NAPI_ID, linux.SO_ZEROCOPY, linux.SO_TXTIME,
	linux.SO_NETNS_COOKIE, linux.SO_RESERVE_MEM, linux.SO_TXREHASH, linux.SO_RCVMARK, linux.SO_PEERSEC, linux.SO_PASSSEC,
	linux.SO_PASSPIDFD, linux.SO_PEERPIDFD, linux.SO_TIMESTAMP_NEW, linux.SO_TIMESTAMPNS_NEW,
)

func absentRows(opts ...linux.SockOpt) []Row[*Base] {
	rows := make([]Row[*Base], 0, len(opts))
	for _, o := range opts {
		rows = append(rows, Row[*Base]{Level: linux.SOL_SOCKET, Opt: int32(o), Name: o.String()})
	}
	return rows
}
