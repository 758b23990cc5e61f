package config

// What has a fixed default is in [defaults]. The others are made
//   - where a key is read, if they follow from other keys: in config.go the region,
//     gleap.concurrency (enoughConnections), sync.temp_dir (the folder of the state) and the
//     zone of the schedule; in exports.go and named.go an export's membership (that of
//     [events]);
//   - beside the choice of a key that is left out: the entry "" of its map, mostly in
//     exports.go;
//   - by who uses the key: an export's timeout by packages source (commands) and postgres
//     (queries), its user_id, columns and delimiter by package engage, its max_exits by package
//     sync (those of [guard]);
//   - at flags, in package app.

// gleapRate is how many requests Gleap allows in 60 s for a project.
const gleapRate = 1000

// defaults are the settings of an empty file, those of Gleap's documentation among
// them.
func defaults() file {
	var f file
	f.Gleap.Rate = gleapRate
	f.Gleap.Window = "60s"
	f.Gleap.Timeout = "30s"
	f.Gleap.GiveUp = "15m"
	f.State.Path = "gleapsync.db"
	f.Sync.Schedule = "0 */2 * * *"
	f.Sync.Memory = "256MiB"
	f.Guard.MaxExits = "30%"
	f.Guard.MinExits = 50
	f.Guard.MaxInvalid = "1%"
	f.Events.Entered, f.Events.Exited = "Audience Entered", "Audience Exited" // as Segment names them
	f.Events.Computed = "Trait Computed"
	f.Events.Batch = 100
	f.Events.Remember = "72h"
	f.Notify.Format = "json"
	f.Notify.SizeChange = "50%"
	return f
}
