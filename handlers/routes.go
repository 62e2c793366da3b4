// Package handlers is the edge: it turns requests into acts and acts into
// pages. routes.go lists every address; a handler takes a request apart, asks
// db for one act, and shows what came of it. No rule, no SQL and no HTML live
// here. Only main comes in, through New and NewServer.
package handlers

import "net/http"

// route is one address of the portal.
type route struct {
	method  string
	path    string
	door    door
	handler func(http.ResponseWriter, *http.Request) error
}

// table is every route of the portal.
func (p *portal) table() []route {
	const get, post = http.MethodGet, http.MethodPost
	const member, template = "/admin/members/{id}", "/admin/templates/{kind}"
	all := []route{
		{get, "/static/{hash}/{name}", open, p.serveStatic},
		{get, "/healthz", open, p.health},
		{post, "/bounces", open, p.takeBounce},

		{get, "/{$}", public, p.home},
		{get, "/brand.css", public, p.brand},
		{get, "/.well-known/change-password", public, p.wellKnownPassword},
		{post, "/password-strength", public, p.measurePassword},
		{get, "/setup", public, p.showSetup},
		{post, "/setup", public, p.setUp},
		{get, "/sign-in", public, p.showSignIn},
		{post, "/sign-in", public, p.signIn},
		{post, "/sign-in/person", public, p.choosePerson},
		{post, "/sign-in/factor", public, p.proveFactor},
		{post, "/sign-in/passkey", public, p.signInWithPasskey},
		{post, "/sign-out", public, p.signOut},
		{get, "/forgot-password", public, p.showForgot},
		{post, "/forgot-password", public, p.askReset},
		{get, "/reset/{token}", public, p.openReset},
		{get, "/reset/code", public, p.showCode},
		{post, "/reset/code", public, p.enterCode},
		{get, "/reset", public, p.showReset},
		{post, "/reset", public, p.setPassword},
		{post, "/reset/renew", public, p.renewReset},
		{get, "/not-me/{token}", public, p.openNotMe},
		{get, "/not-me", public, p.showNotMe},
		{post, "/not-me", public, p.sayNotMe},
		{get, "/email/{token}", public, p.openEmail},
		{get, "/email", public, p.showEmailLink},
		{post, "/email", public, p.confirmEmail},

		{get, "/account", signedIn, p.showAccount},
		{get, "/account/password", signedIn, p.showPassword},
		{post, "/account/password", signedIn, p.changePassword},
		{get, "/account/email", signedIn, p.showEmail},
		{post, "/account/email", signedIn, p.askEmail},
		{post, "/account/email/again", signedIn, p.askEmailAgain},
		{post, "/account/email/cancel", signedIn, p.cancelEmail},
		{get, "/account/sessions", signedIn, p.showSessions},
		{post, "/account/sessions/end", signedIn, p.endOtherSessions},
		{post, "/account/sessions/{id}/end", signedIn, p.endSession},
		{get, factorPath, signedIn, p.showFactors},
		{post, factorPath + "/letter", signedIn, p.sendOwnLetter},
		{get, factorPath + "/app", signedIn, p.askSelf("app")},
		{post, factorPath + "/app", signedIn, p.beginApp},
		{post, factorPath + "/app/confirm", signedIn, p.confirmApp},
		{get, factorPath + "/app/remove", signedIn, p.askSelf("app/remove")},
		{post, factorPath + "/app/remove", signedIn, p.removeApp},
		{get, factorPath + "/passkey", signedIn, p.askSelf("passkey")},
		{post, factorPath + "/passkey", signedIn, p.beginPasskey},
		{post, factorPath + "/passkey/confirm", signedIn, p.addPasskey},
		{get, factorPath + "/passkey/{id}/name", signedIn, p.showPasskeyName},
		{post, factorPath + "/passkey/{id}/name", signedIn, p.renamePasskey},
		{get, factorPath + "/passkey/{id}/remove", signedIn, p.askRemovePasskey},
		{post, factorPath + "/passkey/{id}/remove", signedIn, p.removePasskey},
		{get, factorPath + "/codes", signedIn, p.askSelf("codes")},
		{post, factorPath + "/codes", signedIn, p.makeCodes},

		{get, "/admin", viewer, p.showAttention},
		{get, "/admin/members", viewer, p.listMembers},
		{get, member, viewer, p.showMember},
		{get, member + "/settings", viewer, p.showMemberSettings},
		{get, member + "/activity", viewer, p.showMemberActivity},
		{get, member + "/password-resets/letter", viewer, p.showLetter},
		{get, "/admin/letters", viewer, p.listLetters},
		{get, "/admin/letters/{id}", viewer, p.showLetterRecord},
		{get, "/admin/letters/{id}/html", viewer, p.letterHTML},

		{get, "/admin/members/new", staff, p.newMember},
		{post, "/admin/members", staff, p.addMember},
		{post, member, staff, p.changeMember},
		{post, member + "/account", staff, p.createUser},
		{post, member + "/account/email", staff, p.changeEmail},
		{post, member + "/account/disable", staff, p.disable},
		{post, member + "/account/enable", staff, p.enable},
		{post, member + "/account/delete", staff, p.deleteAccount},
		{post, member + "/sessions/end", staff, p.endSessions},
		{post, member + "/two-factor/clear", staff, p.clearFactor},
		{post, member + "/password-resets", staff, p.sendReset},
		{post, member + "/password-resets/cancel", staff, p.cancelReset},
		{post, member + "/password-resets/copied", staff, p.copiedReset},
		{post, member + "/password-resets/code", staff, p.readOutCode},

		{post, "/admin/attention/near/{id}/done", staff, p.dismissNear},
		{post, "/admin/attention/not-me/{id}/done", staff, p.settleNotMe},
		{post, "/admin/letters/{id}/again", staff, p.repeatLetter},
		{post, "/admin/letters/{id}/stop", staff, p.stopLetter},

		{post, member + "/account/role", owner, p.setRole},
		{get, "/admin/staff", owner, p.showStaff},
		{post, "/admin/staff", owner, p.inviteStaff},
		{post, "/admin/staff/{id}/role", owner, p.changeStaffRole},
		{post, "/admin/staff/{id}/remove", owner, p.removeStaff},
		{get, "/admin/audit", owner, p.listAudit},
		{get, "/admin/settings", owner, p.showSettings},
		{post, "/admin/settings", owner, p.changeSettings},
		{get, mailPath, owner, p.showMail},
		{post, mailPath, owner, p.changeMail},
		{post, mailPath + "/test", owner, p.sendTest},
		{post, mailPath + "/check", owner, p.checkMail},
		{post, mailPath + "/key", owner, p.makeDKIM},
		{post, mailPath + "/sign", owner, p.signLetters},
		{post, mailPath + "/unsigned", owner, p.leaveUnsigned},
		{post, "/admin/settings/bounce-secret", owner, p.newBounceSecret},
		{get, "/admin/templates", owner, p.listTemplates},
		{get, template, owner, p.showTemplate},
		{post, template, owner, p.changeTemplate},
		{get, template + "/preview", owner, p.showPreview},
		{post, template + "/preview", owner, p.previewTemplate},
		{post, template + "/test", owner, p.testTemplate},
		{post, template + "/original", owner, p.restoreTemplate},
	}
	if p.Demo {
		all = append(all,
			route{get, "/demo/letters", public, p.demoLetters},
			route{get, "/demo/letters/{id}", public, p.demoLetter},
			route{get, "/demo/letters/{id}/html", public, p.demoLetterHTML})
	}
	return all
}
