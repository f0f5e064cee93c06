// Package kernel joins the Sentry to the boot process: it builds a
// sentry.Kernel from a boot.Spec and offers it as a boot.Kernel.
package kernel

import (
	"cordon/runsc/boot"
)

// New builds the Sentry for a spec; it is a boot.NewKernel.
func New(s *boot.Spec) (boot.Kernel, error) {
	return nil, &boot.StartError{Kind: boot.ErrOther, Message: "this build has no Sentry"}
}
