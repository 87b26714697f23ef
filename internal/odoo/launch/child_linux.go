package launch

import "syscall"

// attributes of a child: it ends with this process, whose locks it works under.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
