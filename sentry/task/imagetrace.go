package task

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform/arch"
)

// A TraceImage is what ties a tracee to its tracer, and where it stands still.
type TraceImage struct {
	Tracer    checkpoint.Ref // none: nobody traces it
	Seized    bool
	Options   uint64
	Mode      uint32
	Stop      uint8
	Status    uint32
	Reported  bool
	Listening bool
	Message   uint64
	Result    uint64
	Info      linux.SigInfo
	HaveInfo  bool
	InfoSet   bool
	Signal    linux.Signal
	Trap      bool
	FPU       []byte // that the tracer has set
	StopTaken bool   // the signal of the stop stops the process
}

// traceImage is a part of saveTask.
func (t *Task) traceImage(s *checkpoint.Saver) (im TraceImage) {
	x := t.trace.Load()
	if x == nil {
		return im
	}
	im = TraceImage{
		Tracer: s.Ref(x.tracer), Seized: x.seized, Options: x.options.Load(), Mode: x.mode.Load(), Stop: uint8(x.stop), Status: x.status,
		Reported: x.reported, Listening: x.listening, Message: x.message, Result: x.result, Info: x.info, HaveInfo: x.haveInfo,
		InfoSet: x.infoSet, Signal: x.signal, Trap: x.trap, StopTaken: t.stopTaken,
	}
	if x.fpuSet {
		im.FPU = x.fpu
	}
	return im
}

// loadTrace is a part of loadTask.
func (t *Task) loadTrace(g *getter, im *TraceImage) error {
	if im.Tracer == 0 {
		return nil
	}
	tracer := get[*Task](g, im.Tracer)
	if tracer == nil || tracer == t || stopKind(im.Stop) >= stopKinds || len(im.FPU) > 0 && !arch.ValidFPU(im.FPU) {
		return cmp.Or(g.err, errImage)
	}
	x := &tracing{
		tracer: tracer, seized: im.Seized, stop: stopKind(im.Stop), status: im.Status, reported: im.Reported, listening: im.Listening,
		message: im.Message, result: im.Result, info: im.Info, haveInfo: im.HaveInfo, infoSet: im.InfoSet, signal: im.Signal,
		trap: im.Trap, fpu: im.FPU, fpuSet: len(im.FPU) > 0,
	}
	x.options.Store(im.Options)
	x.mode.Store(im.Mode)
	t.stopTaken = im.StopTaken
	t.trace.Store(x)
	tracer.tracees = append(tracer.tracees, t)
	return nil
}
