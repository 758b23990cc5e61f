package source

import "syscall"

// endWithUs makes a command end with the thread that started it, and so with this process,
// whatever ends that.
func endWithUs(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
