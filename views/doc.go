// Package views is the face: templ components that turn model nouns into
// pages and letters. XPage is a whole document, X a part of one, which is
// also what htmx swaps in. It knows the nouns of db/model and nothing else:
// no query, no clock, no HTTP. Who may come in: handlers and the postman.
package views
