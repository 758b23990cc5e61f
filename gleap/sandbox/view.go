package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// view serves those who rehearse, not the client.
func (s *Sandbox) view(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /sandbox/contacts":
		s.viewContacts(w)
	case "GET /sandbox/events":
		s.viewEvents(w)
	case "GET /sandbox/counts":
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(s.Counts())
	default:
		reply(w, http.StatusNotFound, errors.New("unknown view, want GET /sandbox/contacts, GET /sandbox/events or GET /sandbox/counts"))
	}
}

func (s *Sandbox) viewContacts(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for c := range s.Contacts() {
		line := struct {
			UserID       string         `json:"user_id"`
			Fields       map[string]any `json:"fields"`
			Attributes   map[string]any `json:"attributes"`
			LastActivity *time.Time     `json:"last_activity"`
			Identified   int            `json:"identified"`
		}{c.UserID, c.Fields, c.Attributes, nil, c.Identified}
		if !c.LastActivity.IsZero() {
			line.LastActivity = &c.LastActivity
		}
		if enc.Encode(line) != nil {
			return // the reader has gone
		}
	}
}

func (s *Sandbox) viewEvents(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, e := range s.Events() {
		line := struct {
			Name   string         `json:"name"`
			UserID string         `json:"user_id"`
			Date   time.Time      `json:"date"`
			Data   map[string]any `json:"data"`
		}{e.Name, e.UserID, e.Date, e.Data}
		if enc.Encode(line) != nil {
			return // the reader has gone
		}
	}
}
