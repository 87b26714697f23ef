package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nuobit/odyssey/test/giteatest"
)

func main() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "exp")
	t0 := time.Now()
	srv, err := giteatest.Start(ctx, giteatest.Options{Dir: dir, Log: os.Stderr})
	if err != nil {
		panic(err)
	}
	fmt.Println("start", time.Since(t0), srv.Dir)
	t0 = time.Now()
	u, _ := srv.NewUser(ctx, "u")
	fmt.Println("user", time.Since(t0))
	t0 = time.Now()
	srv.NewRepo(ctx, u, "r", giteatest.RepoOptions{})
	fmt.Println("repo", time.Since(t0))
	var cs []giteatest.Commit
	for i := range 20 {
		cs = append(cs, giteatest.Commit{Branch: fmt.Sprint("b", i), Message: "x", Files: map[string]giteatest.File{"f": {Content: fmt.Sprint(i)}}})
	}
	t0 = time.Now()
	_, err = srv.Push(ctx, u, "u/r", cs...)
	fmt.Println("push", time.Since(t0), err)
	for i := range 20 {
		t0 = time.Now()
		err = srv.API(ctx, u, "POST", "/repos/u/r/pulls", map[string]any{"head": fmt.Sprint("b", i), "base": "main", "title": "x"}, nil)
		fmt.Println("pr", time.Since(t0), err)
	}
	t0 = time.Now()
	srv.API(ctx, u, "GET", "/repos/u/r/pulls?limit=50", nil, nil)
	fmt.Println("list", time.Since(t0), err)
	t0 = time.Now()
	srv.Stop()
	fmt.Println("stop", time.Since(t0))
}
