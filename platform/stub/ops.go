package stub

import (
	"cordon/internal/linux"
	"cordon/platform"
)

// ValidOp says whether op is one that a stub can be made to do: whole pages within
// [low, high) and a protection that exists.
func ValidOp(op *platform.Op, low, high uint64) bool {
	const mask = pageSize - 1
	end := op.Addr + op.Len
	return (op.Addr|op.Len|op.Offset)&mask == 0 && op.Addr >= low && end > op.Addr && end <= high &&
		op.Prot&^(linux.PROT_READ|linux.PROT_WRITE|linux.PROT_EXEC) == 0
}

// ExtendOp makes op cover next as well, when one host call can do both.
func ExtendOp(op, next *platform.Op) bool {
	if next.Kind != op.Kind || next.Addr != op.Addr+op.Len {
		return false
	}
	switch op.Kind {
	case platform.OpMap:
		if next.File.ID != op.File.ID || next.Prot != op.Prot || next.Flags != op.Flags || next.Offset != op.Offset+op.Len {
			return false
		}
	case platform.OpProtect:
		if next.Prot != op.Prot {
			return false
		}
	}
	op.Len += next.Len
	return true
}
