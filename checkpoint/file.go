package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	magic         = "CORDONIM"
	formatVersion = 1
	flagZstd      = 1

	sectionHead = 1
	sectionKind = 2
	sectionEnd  = 3

	// maxSection bounds one section, stored and unpacked. Guest memory is not
	// in this file, so that real sections are far smaller.
	maxSection = 1 << 30
	// maxRatio bounds what a compressed section may unpack to, per stored byte.
	maxRatio = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A sectionHeader precedes each section: what it is, how long its stored and its
// unpacked bytes are, and the CRC32C of the stored ones.
type sectionHeader struct {
	Type, Stored, Raw, CRC uint32
}

type fileWriter struct {
	w   io.Writer
	enc *zstd.Encoder
}

func newFileWriter(w io.Writer, flags uint32) (*fileWriter, error) {
	fw := &fileWriter{w: w}
	if flags&flagZstd != 0 {
		// One thread: the bytes must not depend on the machine.
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		fw.enc = enc
	}
	head := binary.LittleEndian.AppendUint32([]byte(magic), formatVersion)
	_, err := w.Write(binary.LittleEndian.AppendUint32(head, flags))
	return fw, err
}

func (fw *fileWriter) section(typ uint32, raw []byte) error {
	if len(raw) > maxSection {
		return fmt.Errorf("checkpoint: a section of %d bytes is too large", len(raw))
	}
	stored := raw
	if fw.enc != nil {
		stored = fw.enc.EncodeAll(raw, nil)
		// Very regular data is stored as it is, to keep within maxRatio.
		if len(raw) > len(stored)*maxRatio || len(stored) >= len(raw) {
			stored = raw
		}
	}
	h := sectionHeader{typ, uint32(len(stored)), uint32(len(raw)), crc32.Checksum(stored, castagnoli)}
	if err := binary.Write(fw.w, binary.LittleEndian, h); err != nil {
		return err
	}
	_, err := fw.w.Write(stored)
	return err
}

type fileReader struct {
	r     io.Reader
	flags uint32
	// read counts unpacked bytes, the base of the loader's memory budget.
	read uint64
}

func newFileReader(r io.Reader) (*fileReader, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("checkpoint: reading the header: %w", err)
	}
	if string(head[:8]) != magic {
		return nil, errors.New("checkpoint: this is no cordon image")
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != formatVersion {
		return nil, fmt.Errorf("checkpoint: format %d is not known (this program reads %d)", v, formatVersion)
	}
	flags := binary.LittleEndian.Uint32(head[12:])
	if flags&^flagZstd != 0 {
		return nil, fmt.Errorf("checkpoint: unknown flags %#x", flags)
	}
	return &fileReader{r: r, flags: flags}, nil
}

// section reads the next section; its lengths are believed only as far as bytes
// for them arrive.
func (fr *fileReader) section() (typ uint32, raw []byte, err error) {
	var h sectionHeader
	if err := binary.Read(fr.r, binary.LittleEndian, &h); err != nil {
		return 0, nil, fmt.Errorf("checkpoint: reading a section: %w", err)
	}
	if h.Stored > maxSection || h.Raw > maxSection || uint64(h.Raw) > uint64(h.Stored)*maxRatio {
		return 0, nil, fmt.Errorf("checkpoint: a section claims %d stored and %d unpacked bytes", h.Stored, h.Raw)
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, fr.r, int64(h.Stored)); err != nil {
		return 0, nil, fmt.Errorf("checkpoint: a section is cut short: %w", err)
	}
	if crc32.Checksum(buf.Bytes(), castagnoli) != h.CRC {
		return 0, nil, errors.New("checkpoint: a section's checksum is wrong")
	}
	raw = buf.Bytes()
	if h.Stored != h.Raw {
		if fr.flags&flagZstd == 0 {
			return 0, nil, errors.New("checkpoint: a packed section in a plain image")
		}
		if raw, err = unpack(&buf, h.Raw); err != nil {
			return 0, nil, err
		}
	}
	fr.read += uint64(len(raw))
	return h.Type, raw, nil
}

func unpack(r io.Reader, want uint32) ([]byte, error) {
	dec, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSection), zstd.WithDecoderMaxWindow(16<<20))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: unpacking: %w", err)
	}
	defer dec.Close()
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(dec, int64(want)+1))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: unpacking: %w", err)
	}
	if n != int64(want) {
		return nil, fmt.Errorf("checkpoint: a section unpacks to another length than %d", want)
	}
	return out.Bytes(), nil
}
