package rounds

import "os"

// InMemory has a package's tests make their temporary files where [Memory] says, if they have few
// rounds and nobody set TMPDIR: what they wait for otherwise is mostly the disk. It is to be called
// by TestMain.
func InMemory() {
	if _, isSet := os.LookupEnv("TMPDIR"); !isSet && !Full() && Memory() != "" {
		_ = os.Setenv("TMPDIR", Memory())
	}
}
