package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nuobit/odyssey/internal/forge"
)

func gitOperations() map[string]operation {
	return map[string]operation{
		"GET /repos/{owner}/{repo}": {"metadata:read", func(c *call) (int, any, error) {
			return http.StatusOK, c.shapeRepo(c.repo), nil
		}},
		"GET /repos/{owner}/{repo}/branches/{branch}": {"contents:read", func(c *call) (int, any, error) {
			if _, ok := c.repo.branches[c.params["branch"]]; !ok {
				return 0, nil, refuse(http.StatusNotFound, "Branch not found")
			}
			return http.StatusOK, c.shapeBranch(c.repo, c.params["branch"]), nil
		}},
		"GET /repos/{owner}/{repo}/git/ref/{ref}":            {"contents:read", readRef},
		"POST /repos/{owner}/{repo}/git/refs":                {"contents:write", createRef},
		"GET /repos/{owner}/{repo}/git/trees/{tree_sha}":     {"contents:read", readTree},
		"POST /repos/{owner}/{repo}/git/trees":               {"contents:write", createTree},
		"GET /repos/{owner}/{repo}/git/blobs/{file_sha}":     {"contents:read", readBlob},
		"POST /repos/{owner}/{repo}/git/blobs":               {"contents:write", createBlob},
		"GET /repos/{owner}/{repo}/git/commits/{commit_sha}": {"contents:read", readCommit},
		"POST /repos/{owner}/{repo}/git/commits":             {"contents:write", createCommit},
		"POST /repos/{owner}/{repo}/dispatches": {"contents:write", func(c *call) (int, any, error) {
			var in struct {
				EventType     string         `json:"event_type"`
				ClientPayload map[string]any `json:"client_payload"`
			}
			c.decode(&in)
			c.repo.starts = append(c.repo.starts, Dispatch{in.EventType, in.ClientPayload})
			return http.StatusNoContent, nil, nil
		}},
	}
}

// orEmpty refuses what needs a commit in a repository without any.
func (c *call) orEmpty() error {
	if len(c.repo.branches) == 0 {
		return refuse(http.StatusConflict, "Git Repository is empty.")
	}
	return nil
}

func (c *call) shapeRef(branch string) map[string]any {
	sha := c.repo.branches[branch].String()
	url := fmt.Sprintf("%s/repos/%s/git", c.URL, c.repo.name)
	return map[string]any{
		"ref": "refs/heads/" + branch, "node_id": "REF_" + branch, "url": url + "/refs/heads/" + branch,
		"object": map[string]any{"type": "commit", "sha": sha, "url": url + "/commits/" + sha},
	}
}

func readRef(c *call) (int, any, error) {
	if err := c.orEmpty(); err != nil {
		return 0, nil, err
	}
	branch, ok := strings.CutPrefix(c.params["ref"], "heads/")
	if _, there := c.repo.branches[branch]; !ok || !there {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.shapeRef(branch), nil
}

func createRef(c *call) (int, any, error) {
	var in struct{ Ref, SHA string }
	c.decode(&in)
	branch, ok := strings.CutPrefix(in.Ref, "refs/heads/")
	switch {
	case !ok:
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Reference name is not valid")
	case !c.repo.git.has(plumbing.NewHash(in.SHA)):
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Object does not exist")
	case !c.repo.branches[branch].IsZero():
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Reference already exists")
	}
	c.moveBranch(c.repo, branch, plumbing.NewHash(in.SHA), c.by)
	return http.StatusCreated, c.shapeRef(branch), nil
}

func readTree(c *call) (int, any, error) {
	if err := c.orEmpty(); err != nil {
		return 0, nil, err
	}
	hash := plumbing.NewHash(c.params["tree_sha"])
	if commit, err := object.GetCommit(c.repo.git, hash); err == nil {
		hash = commit.TreeHash
	}
	tree, err := object.GetTree(c.repo.git, hash)
	if err != nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.shapeTree(tree, c.query("recursive", "") != ""), nil
}

func (c *call) shapeTree(tree *object.Tree, recursive bool) map[string]any {
	url := fmt.Sprintf("%s/repos/%s/git", c.URL, c.repo.name)
	entries := []any{}
	walker := object.NewTreeWalker(tree, recursive, nil)
	defer walker.Close()
	for {
		path, e, err := walker.Next()
		if err != nil {
			break
		}
		got := map[string]any{"path": path, "mode": fmt.Sprintf("%06o", uint32(e.Mode)), "sha": e.Hash.String()}
		switch e.Mode {
		case filemode.Dir:
			got["type"], got["url"] = "tree", url+"/trees/"+e.Hash.String()
		case filemode.Submodule:
			got["type"] = "commit"
		default:
			got["type"], got["url"] = "blob", url+"/blobs/"+e.Hash.String()
			got["size"] = must(c.repo.git.EncodedObjectSize(e.Hash))
		}
		entries = append(entries, got)
	}
	return map[string]any{
		"sha": tree.Hash.String(), "url": url + "/trees/" + tree.Hash.String(), "truncated": false, "tree": entries,
	}
}

func createTree(c *call) (int, any, error) {
	var in struct {
		BaseTree string `json:"base_tree"`
		Tree     []struct {
			Path, Mode, Type string
			SHA, Content     *string
		}
	}
	c.decode(&in)
	if err := c.orEmpty(); err != nil {
		return 0, nil, err
	}
	base := plumbing.NewHash(in.BaseTree)
	if _, err := object.GetTree(c.repo.git, base); in.BaseTree != "" && err != nil {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Could not resolve to a node with base_tree")
	}
	files := map[string]entry{}
	for _, e := range in.Tree {
		file := entry{mode: modeOf(e.Mode)}
		switch {
		case e.Content != nil && e.SHA != nil:
			return 0, nil, refuse(http.StatusUnprocessableEntity, "tree.content and tree.sha are mutually exclusive")
		case e.Content != nil:
			file.hash = c.repo.git.blob([]byte(*e.Content))
		case e.SHA != nil:
			file.hash = plumbing.NewHash(*e.SHA)
			if _, err := c.repo.git.EncodedObjectSize(file.hash); err != nil {
				return 0, nil, refuse(http.StatusUnprocessableEntity, "tree.sha "+*e.SHA+" is not a valid blob")
			}
		}
		files[e.Path] = file
	}
	made := c.repo.git.tree(base, files)
	return http.StatusCreated, c.shapeTree(must(object.GetTree(c.repo.git, made)), false), nil
}

func readBlob(c *call) (int, any, error) {
	sha := c.params["file_sha"]
	content, err := c.repo.git.content(plumbing.NewHash(sha))
	if err != nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, map[string]any{
		"content": lines(base64.StdEncoding.EncodeToString(content)), "encoding": "base64", "sha": sha, "size": len(content),
		"url": fmt.Sprintf("%s/repos/%s/git/blobs/%s", c.URL, c.repo.name, sha), "node_id": "B_" + sha,
	}, nil
}

// lines breaks base64 as GitHub does.
func lines(text string) string {
	const width = 60
	var b strings.Builder
	for len(text) > width {
		b.WriteString(text[:width] + "\n")
		text = text[width:]
	}
	return b.String() + text + "\n"
}

func createBlob(c *call) (int, any, error) {
	var in struct{ Content, Encoding string }
	c.decode(&in)
	content := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if content, err = base64.StdEncoding.DecodeString(in.Content); err != nil {
			return 0, nil, refuse(http.StatusUnprocessableEntity, "content is not valid Base64")
		}
	}
	sha := c.repo.git.blob(content).String()
	return http.StatusCreated, map[string]any{"sha": sha, "url": fmt.Sprintf("%s/repos/%s/git/blobs/%s", c.URL, c.repo.name, sha)}, nil
}

func readCommit(c *call) (int, any, error) {
	commit, err := object.GetCommit(c.repo.git, plumbing.NewHash(c.params["commit_sha"]))
	if err != nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.shapeCommit(c.repo, commit), nil
}

// createCommit signs what an App commits, unless it says who did and when.
func createCommit(c *call) (int, any, error) {
	type author struct {
		Name, Email string
		Date        time.Time
	}
	var in struct {
		Message, Tree     string
		Parents           []string
		Author, Committer *author
	}
	c.decode(&in)
	made := &object.Commit{Message: in.Message, TreeHash: plumbing.NewHash(in.Tree)}
	if _, err := object.GetTree(c.repo.git, made.TreeHash); err != nil {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Tree SHA does not exist")
	}
	for _, sha := range in.Parents {
		if !c.repo.git.has(plumbing.NewHash(sha)) {
			return 0, nil, refuse(http.StatusUnprocessableEntity, "Parent SHA does not exist or is not a commit object")
		}
		made.ParentHashes = append(made.ParentHashes, plumbing.NewHash(sha))
	}
	by := func(a *author) object.Signature {
		if a.Date.IsZero() {
			a.Date = c.now()
		}
		return sign(forge.Identity{Name: a.Name, Email: a.Email}, a.Date)
	}
	made.Author = sign(c.by.identity(), c.now())
	if in.Author != nil {
		made.Author = by(in.Author)
	}
	made.Committer = made.Author
	switch {
	case in.Committer != nil:
		made.Committer = by(in.Committer)
	case c.grant != nil && in.Author == nil:
		made.Committer, made.PGPSignature = sign(webFlow(), c.now()), verified
	}
	commit := c.repo.git.commit(c.repo.git.add(made))
	return http.StatusCreated, c.shapeCommit(c.repo, commit), nil
}
