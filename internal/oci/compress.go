package oci

import (
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// Compression is how layers are compressed. The bytes that come out are part of an
// image's digest, so each has a version, which the golden digests of the tests hold:
// when a library's new release writes other bytes, the version is counted up.
type Compression string

// The compressions.
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// ParseCompression reads the name of a compression.
func ParseCompression(name string) (Compression, error) {
	switch c := Compression(name); c {
	case Gzip, Zstd:
		return c, nil
	}
	return "", invalid("there is no compression %q; there are gzip and zstd", name)
}

// Version names what writes the bytes.
func (c Compression) Version() string {
	if c == Zstd {
		return "zstd-1"
	}
	return "gzip-1"
}

func (c Compression) mediaType() string {
	if c == Zstd {
		return typeLayerZstd
	}
	return typeLayerGzip
}

const (
	// gzipLevel of klauspost's encoder: see the ADR for what others take.
	gzipLevel = 3
	// gzipBlock is what one goroutine compresses at a time, in bytes. Where
	// blocks end is part of the output; how many are at work is not.
	gzipBlock = 1 << 20
	// zstdWindow bounds the memory of who reads a layer.
	zstdWindow = 4 << 20
)

func (c Compression) writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		z, err := pgzip.NewWriterLevel(w, gzipLevel)
		if err != nil {
			return nil, err
		}
		err = z.SetConcurrency(gzipBlock, runtime.GOMAXPROCS(0))
		return z, err
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(zstdWindow), zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(2))
	}
	return nil, fmt.Errorf("no compression %q", c)
}

// decompressor reads a layer of a media type.
func decompressor(mediaType string, r io.Reader) (io.ReadCloser, error) {
	switch mediaType {
	case typeLayerGzip, typeDockerLayer:
		return pgzip.NewReader(r)
	case typeLayerZstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case typeLayerTar:
		return io.NopCloser(r), nil
	}
	return nil, fmt.Errorf("a layer is %s, which is not known here", mediaType)
}
