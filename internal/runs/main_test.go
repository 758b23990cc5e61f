package runs

import (
	"testing"

	"gleapsync/internal/rounds"
)

func TestMain(m *testing.M) {
	rounds.InMemory()
	m.Run()
}
