package model

// Spellings lists the words that one slip of the keyboard makes of a folded
// word: a letter too many or too few, a wrong one, or two exchanged.
func Spellings(word string) []string { return nil }

// Slips is how many slips of the keyboard lie between two folded words (the
// distance of Damerau and Levenshtein, no letter moved twice), or most+1 if
// there are more than most.
func Slips(a, b string, most int) int { return most + 1 }
