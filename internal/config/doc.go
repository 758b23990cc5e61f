// Package config reads the TOML configuration into the settings of the packages that
// do the work.
//
// It is strict: a key that is not known, a value that cannot be, and settings that do
// not go together are errors, each with its line and key, and all of them at once.
// Values never show in errors, since ${NAME} may bring in a secret.
package config
