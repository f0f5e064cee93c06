package task

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/mm"
	"cordon/sentry/wait"
)

// loadStruct fills v from guest memory and reports whether it could.
func loadStruct[T any](m *mm.MemoryManager, addr uint64, v *T) bool {
	x, err := arg.LoadAt[T](m, addr)
	*v = x
	return err == nil
}

func channelEntry() (*wait.Entry, chan struct{}) { return wait.Channel(wait.All) }

// Personality is personality(2)'s; SetPersonality is task-only.
func (t *Task) Personality() linux.Personality     { return linux.Personality(t.personality.Load()) }
func (t *Task) SetPersonality(p linux.Personality) { t.personality.Store(uint32(p)) }
