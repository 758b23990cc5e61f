package source

import (
	"testing"

	"gleapsync/internal/rounds"
)

func TestMain(m *testing.M) {
	rounds.Beside()
	m.Run()
}
