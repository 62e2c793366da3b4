package model

// LetterGroup is the kinds of letter that come from one address.
type LetterGroup string

// The groups of letters (product.md §5.2).
const (
	GroupSignIn LetterGroup = "sign_in" // somebody wants to get in and waits for it
	GroupNotice LetterGroup = "notice"  // something happened, whether they asked or not
)

// Group is which sender a letter has. Everything with a link is about signing
// in, and so is the answer to somebody who asked for one and gets none. A test
// belongs to them as well: it is to show whether members' links would arrive.
func (k LetterKind) Group() LetterGroup {
	if k.CarriesLink() || k == LetterNoAccount || k == LetterRingUs || k == LetterTest {
		return GroupSignIn
	}
	return GroupNotice
}

// SenderOf is the address that a kind of letter comes from.
func (s Settings) SenderOf(k LetterKind) string {
	if k.Group() == GroupNotice && s.NoticeFrom != "" {
		return s.NoticeFrom
	}
	return s.Sender()
}

// AnswersTo is where answers to a kind of letter go; "" for its sender.
func (s Settings) AnswersTo(k LetterKind) string {
	if k.Group() == GroupNotice && s.NoticeReplyTo != "" {
		return s.NoticeReplyTo
	}
	return s.ReplyTo
}

// Senders is every address that letters come from, that of links first.
func (s Settings) Senders() []string {
	all := []string{s.Sender()}
	if s.NoticeFrom != "" && s.NoticeFrom != all[0] {
		all = append(all, s.NoticeFrom)
	}
	return all
}
