package config

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// checkServing checks what the schema cannot of what serve is told.
func (c *checker) checkServing(root *yaml.Node) {
	store := child(root, "store")
	if text, ok := textOf(store); ok && strings.Contains(text, "://") { // it is not repeated: it may hold a password
		c.fault(store, "store", "is a file, and no URL").Hint = "write the URL into a file, and name that file as storeURLFile"
	}
	if url := child(root, "storeURLFile"); store != nil && url != nil {
		c.fault(url, "storeURLFile", "there is a store as well, see line %d", store.Line).Hint = "keep one of the two"
	}
	listen, status := child(root, "listen"), child(root, "statusListen")
	c.checkAddress(listen, "listen")
	c.checkAddress(status, "statusListen")
	public, _ := textOf(listen)
	private, ok := textOf(status)
	if _, port, err := net.SplitHostPort(private); err == nil && ok && port != "0" && private == cmp.Or(public, ":8080") {
		c.fault(status, "statusListen", "%q is the address for webhooks", private).Hint = "the status pages need an address of their own"
	}
	c.checkDuration(child(root, "drain"), "drain", 0, time.Hour)
	c.checkDuration(child(root, "sweep"), "sweep", time.Minute, 24*time.Hour)
	c.checkDuration(child(root, "keep"), "keep", time.Hour, 365*24*time.Hour)
}

// checkAddress checks HOST:PORT, of which the host may be empty.
func (c *checker) checkAddress(node *yaml.Node, path string) {
	text, ok := textOf(node)
	if !ok || text == "" {
		return
	}
	host, port, err := net.SplitHostPort(text)
	if n, convErr := strconv.ParseUint(port, 10, 16); err != nil || convErr != nil || strconv.FormatUint(n, 10) != port || strings.ContainsAny(host, " /@") {
		c.fault(node, path, "%q is no address to listen on", text).Hint = "for example: 127.0.0.1:8081, [::1]:8081, or :8081 for every interface"
	}
}

// unwise warns of what is allowed but seldom meant.
func (c *checker) unwise(s *Server) (warnings []string) {
	warn := func(node *yaml.Node, format string, args ...any) {
		warnings = append(warnings, fmt.Sprintf("%s:%d: ", c.doc.Path, node.Line)+fmt.Sprintf(format, args...))
	}
	if host, _, err := net.SplitHostPort(s.StatusListen); err == nil && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		warn(child(c.doc.Root, "statusListen"), "the status pages on %s ask for no password; let only those reach them who may read of every watched repository", s.StatusListen)
	}
	for i, forge := range items(child(c.doc.Root, "forges")) {
		for j, node := range items(child(forge, "discover")) {
			if s.Forges[i].Discover[j].Owner == "" {
				warn(node, "whoever may write to %s can have a repository watched by giving it the topic %q; add an owner", s.Forges[i].URL, s.Forges[i].Discover[j].Topic)
			}
		}
	}
	return warnings
}
