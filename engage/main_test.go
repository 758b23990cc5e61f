package engage

import (
	"testing"

	"gleapsync/internal/rounds"
)

func TestMain(m *testing.M) {
	rounds.Beside()
	rounds.InMemory()
	rounds.CollectLess()
	m.Run()
}
