// Package completion completes the command line in bash, zsh and fish.
//
// The script of a shell ([Script]) knows nothing of the commands: at each TAB it runs
// the program with [Question] and the words so far, and [Answer] finds in kong's model
// what the last of them may become. So a new command or flag is completed without a
// change here.
//
// What a value is, its name tells: that of an argument in upper case, or a flag's
// placeholder.
//
//	PATH, FILE   a file: the shell completes it
//	FOLDER       a folder: the shell completes it
//	KEY          a key of the configuration
//	KEY=LIMIT    a key of the configuration with a "=" behind it
//
// Of enums the values are offered, of all else nothing. Hidden commands and flags are
// not offered.
package completion
