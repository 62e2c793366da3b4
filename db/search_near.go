package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/db/model"
)

// near is the text of a search that found nobody, with its wrong words written
// as the names on the roll that come nearest, if that finds somebody.
func (s *sight) near(ctx context.Context, q model.MemberQuery) (string, error) {
	var typed, words []string
	for _, piece := range pieces(q.Text) {
		if found := model.SearchWords(piece); len(found) == 1 {
			typed, words = append(typed, piece), append(words, found[0])
		}
	}
	if len(words) == 0 || len(words) > mostMended {
		return "", nil
	}
	if found, err := s.find(ctx, model.MemberQuery{Text: q.Text}); err != nil || found.total > 0 {
		return "", err // spelled well: it is the filter that nobody passes
	}
	// Words that nobody has are the wrong ones; if there is none, it may be any.
	var wrong []int
	for i, w := range words {
		set, err := s.termSet(ctx, w)
		if err != nil {
			return "", err
		}
		if set.total == 0 {
			wrong = append(wrong, i)
		}
	}
	var tries [][]string
	suspects := wrong
	if len(wrong) == 0 {
		for i := range words {
			suspects = append(suspects, i)
		}
	}
	all := slices.Clone(typed)
	for _, i := range suspects {
		names, err := s.spelledNearly(ctx, words[i])
		if err != nil || len(wrong) > 0 && len(names) == 0 {
			return "", err
		}
		for n, name := range names {
			if n == 0 {
				all[i] = name
			}
			one := slices.Clone(typed)
			one[i] = name
			tries = append(tries, one)
		}
	}
	if len(wrong) > 1 {
		tries = [][]string{all}
	}
	for _, try := range tries {
		meant := q
		meant.Text = strings.Join(try, " ")
		if found, err := s.find(ctx, meant); err != nil || found.total > 0 {
			return meant.Text, err
		}
	}
	return "", nil
}

const (
	mostMended  = 4      // words of a search that is looked at for slips
	mostOffered = 5      // spellings that are tried for one word
	mostNames   = 20_000 // terms that are looked through for a word with two slips
)

// spelledNearly gives names on the roll that a few slips away from a folded
// word, the nearest and most frequent first, as their holders write them.
func (s *sight) spelledNearly(ctx context.Context, word string) ([]string, error) {
	letters := utf8.RuneCountInString(word)
	if letters < 3 || strings.ContainsAny(word, "0123456789") {
		return nil, nil
	}
	type spelling struct {
		term  string
		slips int
		many  int
	}
	scan := func(rs *sql.Rows) (f spelling, err error) { return f, rs.Scan(&f.term, &f.many) }
	spellings, err := json.Marshal(model.Spellings(word))
	if err != nil {
		return nil, err
	}
	// Who typed half of a name meant one that goes on. Three letters are half of
	// almost anything.
	end := ""
	if letters > 3 {
		end = lastLetter
	}
	near, err := rows(ctx, s, scan, `
		SELECT (SELECT min(term) FROM member_term WHERE term >= w.value AND term <= w.value || ?2),
			(SELECT count(*) FROM (SELECT 1 FROM member_term WHERE term >= w.value AND term <= w.value || ?2 LIMIT 100)) AS many
		FROM json_each(?1) w WHERE many > 0`, string(spellings), end)
	if err != nil {
		return nil, err
	}
	if len(near) == 0 && letters >= 5 {
		// Two slips, and the first two letters right: jumping from one term to
		// the next greater one, however many members have it.
		begin := string([]rune(word)[:2])
		all, err := rows(ctx, s, scan, `
			WITH RECURSIVE found (term) AS (
				SELECT min(term) FROM member_term WHERE term >= ?1 AND term < ?2
				UNION ALL
				SELECT (SELECT min(term) FROM member_term WHERE term > found.term AND term < ?2) FROM found WHERE found.term IS NOT NULL
				LIMIT ?3)
			SELECT term, 1 FROM found WHERE term IS NOT NULL`, begin, begin+lastLetter, mostNames)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			if f.slips = model.Slips(word, f.term, 2); f.slips <= 2 {
				near = append(near, f)
			}
		}
	}
	for i, f := range near {
		near[i].slips = model.Slips(word, f.term, 3)
	}
	slices.SortFunc(near, func(a, b spelling) int {
		return cmp.Or(cmp.Compare(a.slips, b.slips), cmp.Compare(b.many, a.many), cmp.Compare(a.term, b.term))
	})
	var names []string
	for _, f := range near {
		name, err := s.nameOf(ctx, f.term)
		if err != nil {
			return nil, err
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) == mostOffered {
			break
		}
	}
	return names, nil
}

// pieces are the words of a text as they are written, an apostrophe within.
func pieces(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("'’ʼ", r)
	})
}

// nameOf is a term as the name it is part of writes it, "" if it is none: an
// address or a number is not offered.
func (s *sight) nameOf(ctx context.Context, term string) (string, error) {
	var m model.Member
	err := s.QueryRowContext(ctx, `
		SELECT m.first_name, m.last_name, m.company FROM member_term t JOIN member m ON m.place = t.place WHERE t.term = ? ORDER BY t.place LIMIT 1`, term).
		Scan(&m.FirstName, &m.LastName, &m.Company)
	if err != nil {
		return "", err
	}
	for _, text := range []string{m.LastName, m.FirstName, m.Company} {
		for _, word := range pieces(text) {
			if slices.Contains(strings.Fields(model.Member{LastName: word}.SearchText()), term) {
				return word, nil
			}
		}
	}
	return "", nil
}
