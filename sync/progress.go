package sync

import "gleapsync/internal/runs"

// Progress says how far a run is.
type Progress = runs.Progress
