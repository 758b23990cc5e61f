package replica

import (
	"testing"

	"gleapsync/internal/rounds"
)

func TestMain(m *testing.M) {
	rounds.Beside()
	rounds.InMemory()
	m.Run()
}
