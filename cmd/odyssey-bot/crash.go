//go:build !failpoint

package main

// crash is what programs built for tests end themselves with.
func crash() func(point string) { return nil }
