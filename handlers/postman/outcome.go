package postman

import (
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"syscall"

	"latchkey/db/model"
)

// step is how far a conversation with the mail server came.
type step string

// The steps, in their order. Up to stepSignIn it is about us and the server;
// from stepSender on it is about this letter.
const (
	stepReach     step = "reach"
	stepGreet     step = "greet"
	stepEncrypt   step = "encrypt"
	stepSignIn    step = "sign in"
	stepSender    step = "sender"
	stepRecipient step = "recipient"
	stepContent   step = "content"
)

// trouble in words, for the steps at which the server may have said nothing.
var stepWords = map[step]string{
	stepReach:   "The mail server could not be reached",
	stepGreet:   "The mail server does not take letters at the moment",
	stepEncrypt: "The connection to the mail server could not be encrypted",
	stepSignIn:  "The mail server did not accept our user name and password",
}

// failure is a step that did not go well.
type failure struct {
	step step
	err  error
}

func (f *failure) Error() string { return string(f.step) + ": " + f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

const closing = 421 // "service not available, closing transmission channel"

// delivery says what a failure means for the letter.
//
// A 5xx is final where it is about the letter: the sender, the recipient or
// the content. At the greeting or the sign-in it is about the server or our
// settings, which somebody will mend, and the letters should leave then; so
// the code is told in the words but not counted. (Postfix draws the line at
// the same place: smtp_skip_5xx_greeting, smtp_sasl_auth_soft_bounce.) A
// refused sender is final although it is our setting too: servers check it
// against the recipient, so it may be true of one letter only.
func delivery(err error) model.Delivery {
	at := stepOf(err)
	words, about := stepWords[at]
	reply, said := errors.AsType[*textproto.Error](err)
	switch {
	case said && about:
		how := model.Delivery{Code: reply.Code, Reply: clean(words + ": " + strconv.Itoa(reply.Code) + " " + reply.Msg)}
		if reply.Code >= 500 {
			how.Code = 0
		}
		return how
	case said && model.AsksForSignIn(reply.Code):
		return model.Delivery{Reply: clean(stepWords[stepSignIn] + ": " + strconv.Itoa(reply.Code) + " " + reply.Msg)}
	case said:
		return model.Delivery{Code: reply.Code, Reply: clean(reply.Msg)}
	case !about:
		words = "The mail server did not take the letter"
	}
	return model.Delivery{Reply: clean(words + ": " + silence(err) + ".")}
}

// silence says in words why there was no reply.
func silence(err error) string {
	var lookup *net.DNSError
	var protocol textproto.ProtocolError
	var code syscall.Errno
	switch {
	case errors.Is(err, errForbiddenAddress):
		return errForbiddenAddress.Error()
	case errors.As(err, &lookup):
		return "there is no server of the name " + lookup.Name
	case timedOut(err):
		return "it did not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it broke off the connection"
	case errors.As(err, &protocol):
		return "what it said was no answer of a mail server"
	case errors.As(err, &code):
		return code.Error()
	}
	if f, ok := errors.AsType[*failure](err); ok {
		err = f.err
	}
	return err.Error()
}

// outOfReach reports whether the next letter would fare no better: nobody
// could sign in, or the server fell silent.
func outOfReach(err error) bool {
	_, early := stepWords[stepOf(err)]
	return early || timedOut(err)
}

// closedWhileIdle reports whether a kept connection was over before it was
// used again. Nothing of the letter was said yet.
func closedWhileIdle(err error) bool {
	code, said := replyCode(err)
	return stepOf(err) == stepSender && (code == closing || !said && !timedOut(err))
}

func timedOut(err error) bool {
	var e net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}

func stepOf(err error) step {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.step
	}
	return ""
}

func replyCode(err error) (code int, said bool) {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code, true
	}
	return 0, false
}

func isReply(err error) bool {
	_, said := replyCode(err)
	return said
}

// clean makes a server's words fit to be kept and shown.
func clean(words string) string { return model.CleanReply(words) }
