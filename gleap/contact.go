package gleap

import (
	"bytes"
	"net/mail"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/attr"
)

// MaxAttributes is how many custom attributes one Identify Contact call may carry.
const MaxAttributes = 35

// Field is one of the fields that every contact in Gleap has. The numbers are part
// of the state file's format.
type Field byte

// The contact fields that a call can set.
const (
	Name Field = iota + 1
	Email
	Phone
	CompanyName
	CompanyID
	Lang
	Plan
	Value
	CreatedAt
	LastActivity
	LastPageView
)

// fieldNames are the fields' names in the body of a call.
var fieldNames = [...]string{
	Name: "name", Email: "email", Phone: "phone", CompanyName: "companyName", CompanyID: "companyId",
	Lang: "lang", Plan: "plan", Value: "value", CreatedAt: "createdAt", LastActivity: "lastActivity",
	LastPageView: "lastPageView",
}

// String returns the field's name in Gleap.
func (f Field) String() string {
	if int(f) < len(fieldNames) && f > 0 {
		return fieldNames[f]
	}
	return "unknown"
}

// Clean returns text as the field takes it, without blanks around it. It reports
// false for what the field cannot hold: an e-mail address that cannot be one, a
// value that is no number, a date that is none, bytes that are not UTF-8. Gleap would
// refuse the whole call for it.
func (f Field) Clean(text []byte) ([]byte, bool) {
	text = bytes.TrimSpace(text)
	if !utf8.Valid(text) {
		return nil, false
	}
	switch f {
	case Email:
		return text, isAddress(string(text))
	case Value:
		v, ok := attr.NearestNumber(text)
		return v.Text(), ok
	case CreatedAt, LastActivity:
		v, ok := attr.Datetime(string(text))
		return v.Text(), ok
	}
	return text, len(text) > 0
}

// isAddress reports whether text can be an e-mail address: a bare one, with a dot
// in its domain.
func isAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || address.Name != "" {
		return false
	}
	_, domain, _ := strings.Cut(text[strings.LastIndexByte(text, '@'):], "@")
	return strings.Contains(strings.Trim(domain, "."), ".")
}

// Contact is the body of one Identify Contact call. It holds only what is to be
// changed.
type Contact struct {
	UserID     []byte
	Fields     []FieldText
	Attributes []Attribute // at most MaxAttributes
}

// FieldText is a contact field with its text, as [Field.Clean] returned it.
type FieldText struct {
	Field Field
	Text  []byte
}

// Attribute is a custom attribute.
type Attribute struct {
	Key   string
	Value attr.Value
}

// AppendJSON appends the call's body: one flat object, in which the custom
// attributes stand beside Gleap's own fields.
func (c *Contact) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"userId":`...)
	dst = attr.AppendJSONString(dst, c.UserID)
	for _, f := range c.Fields {
		dst = append(dst, `,"`...)
		dst = append(dst, f.Field.String()...)
		dst = append(dst, `":`...)
		switch f.Field {
		case Value:
			dst = append(dst, f.Text...)
		case LastPageView:
			dst = append(dst, `{"page":`...)
			dst = attr.AppendJSONString(dst, f.Text)
			if at := c.lastActivity(); at != nil { // Segment's action dates the page view so
				dst = append(dst, `,"date":`...)
				dst = attr.AppendJSONString(dst, at)
			}
			dst = append(dst, '}')
		default:
			dst = attr.AppendJSONString(dst, f.Text)
		}
	}
	for _, a := range c.Attributes {
		dst = append(dst, ',')
		dst = attr.AppendJSONString(dst, []byte(a.Key))
		dst = append(dst, ':')
		dst = a.Value.AppendJSON(dst)
	}
	return append(dst, '}')
}

func (c *Contact) lastActivity() []byte {
	for _, f := range c.Fields {
		if f.Field == LastActivity {
			return f.Text
		}
	}
	return nil
}
