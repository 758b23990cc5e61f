package gleap

// BooleanAs says how booleans go out: Gleap takes them, but its documentation says that
// filters take texts and numbers only.
type BooleanAs string

// The forms of booleans.
const (
	AsBoolean BooleanAs = ""       // true and false
	AsText    BooleanAs = "text"   // "true" and "false"
	AsNumber  BooleanAs = "number" // 1 and 0
)

// String returns the form as the configuration has it.
func (b BooleanAs) String() string {
	if b == AsBoolean {
		return "boolean"
	}
	return string(b)
}

// rewrite returns the body of a call with its booleans in that form. It is the one place
// for contacts and events, also for those that were stored before the form was changed:
// outside of texts nothing else in JSON begins with t or f.
func (b BooleanAs) rewrite(body []byte) []byte {
	yes, no := `"true"`, `"false"`
	switch b {
	case AsBoolean:
		return body
	case AsNumber:
		yes, no = "1", "0"
	}
	rewritten := make([]byte, 0, len(body)+64)
	inText := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\' && i+1 < len(body):
			rewritten = append(rewritten, c, body[i+1])
			i++
		case c == '"':
			inText = !inText
			rewritten = append(rewritten, c)
		case !inText && c == 't':
			rewritten = append(rewritten, yes...)
			i += len("true") - 1
		case !inText && c == 'f':
			rewritten = append(rewritten, no...)
			i += len("false") - 1
		default:
			rewritten = append(rewritten, c)
		}
	}
	return rewritten
}
