package engage

import (
	"slices"
	"strings"

	"gleapsync/internal/keys"
	"gleapsync/internal/pattern"
	"gleapsync/internal/table"
)

// Column names, in snake case, that are hardly those of attributes. They are compiled when they
// are first needed, which by most commands they are not.
var (
	idLike   = pattern.Of(`^(id|key|traits|external_ids)$|_id(_\d+)?$`)
	loading  = pattern.Of(`^(context_.*|uuid|uuid_ts|timestamp|row_number)$|^(received|sent|updated)_at$|_?(loaded|synced|ingested|inserted)_at$`)
	personal = pattern.Of(`(^|_)(email|phone|phone_number|mobile|address|street|zip|postcode|postal_code|ip|birthday|birth_date|date_of_birth|dob)(_\d+)?$|(^|_)(first|last|full|middle|maiden|user)_?name(_\d+)?$|^name(_\d+)?$`)
)

// LooksLikeID reports whether a column seems to have ids, going by its name.
func LooksLikeID(column string) bool { return idLike().MatchString(keys.Make(column)) }

// LooksLikeLoading reports whether a column seems to be about the loading of its table.
func LooksLikeLoading(column string) bool {
	return strings.HasPrefix(column, "_") || loading().MatchString(keys.Make(column))
}

// LooksPersonal reports whether a column seems to have what nobody should send unasked.
func LooksPersonal(column string) bool { return personal().MatchString(keys.Make(column)) }

// Unused returns the columns that look like audiences or traits and that the export neither
// takes nor excludes.
func (e *Export) Unused(columns []string) []string {
	return slices.DeleteFunc(e.unnamed(columns), func(column string) bool {
		_, taken := e.Take(column)
		return taken || e.excludes(column) || keys.Check(keys.Make(column)) != nil || IsPattern(column) || table.IsData(column) ||
			LooksLikeID(column) || LooksLikeLoading(column) || LooksPersonal(column)
	})
}
