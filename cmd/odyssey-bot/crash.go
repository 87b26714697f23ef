//go:build !failpoint

package main

import "github.com/nuobit/odyssey/internal/web"

// crash is what programs built for tests end themselves with.
func crash() func(point string) { return nil }

// crashing is an Accepter that programs built for tests end themselves in.
func crashing(a web.Accepter) web.Accepter { return a }
