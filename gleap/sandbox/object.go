package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"
)

// maxBody is the largest request body that is taken.
const maxBody = 1 << 20

// object is a JSON object whose keys are known in the order of the document.
// Its values are nil, bool, string, json.Number, []any or object.
type object struct {
	keys   []string
	values map[string]any
}

// readObject reads a request that says it is JSON and is one object, or returns
// the status to refuse it with.
func readObject(r *http.Request) (o object, status int, err error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return o, http.StatusBadRequest, errors.New("the Content-Type must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return o, http.StatusBadRequest, errors.New("the body broke off")
	case len(body) > maxBody:
		return o, http.StatusRequestEntityTooLarge, errors.New("the body is larger than 1 MiB")
	case !utf8.Valid(body):
		return o, http.StatusBadRequest, errors.New("the body is not UTF-8")
	case !json.Valid(body): // trailing data makes it invalid, too
		return o, http.StatusBadRequest, errors.New("the body is not one JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	v, err := parse(dec)
	if err != nil {
		return o, http.StatusBadRequest, err
	}
	o, ok := v.(object)
	if !ok {
		return o, http.StatusBadRequest, errors.New("the body is not one JSON object")
	}
	return o, http.StatusOK, nil
}

// parse reads the next value of a document that is known to be valid, so that
// the only error is a key that stands twice in one object.
func parse(dec *json.Decoder) (any, error) {
	token, _ := dec.Token()
	switch token {
	case json.Delim('{'):
		o := object{values: make(map[string]any)}
		for dec.More() {
			token, _ := dec.Token()
			key := token.(string)
			if _, ok := o.values[key]; ok {
				return nil, fmt.Errorf("%q stands twice in one object", key)
			}
			v, err := parse(dec)
			if err != nil {
				return nil, err
			}
			o.keys = append(o.keys, key)
			o.values[key] = v
		}
		dec.Token() // }
		return o, nil
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := parse(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		dec.Token() // ]
		return list, nil
	}
	return token, nil
}

// plain returns v with maps in the place of objects.
func plain(v any) any {
	switch v := v.(type) {
	case object:
		m := make(map[string]any, len(v.keys))
		for key, inner := range v.values {
			m[key] = plain(inner)
		}
		return m
	case []any:
		for i, inner := range v {
			v[i] = plain(inner)
		}
	}
	return v
}
