(function () {
  // What the pages do beyond links and forms. Every page works without it.
  //
  // Listeners sit on the document, so what htmx swaps in later works too. Members
  // may open the pages on phones as old as iOS 12: ES2017 only, no ?. and no ??.
  'use strict'

  var root = document.documentElement
  root.classList.add('script')

  // say speaks to screen readers only. The region stands on every page before
  // anything is said in it; it is emptied first, so that the same sentence is
  // spoken twice when it happens twice.
  function say (sentence) {
    var region = document.getElementById('said')
    if (!region) return
    region.textContent = ''
    setTimeout(function () { region.textContent = sentence }, 50)
  }

  function closest (event, selector) {
    return event.target.closest ? event.target.closest(selector) : null
  }

  // --- Copy Link ---------------------------------------------------------

  function tell (button, sentence) {
    var note = document.getElementById(button.getAttribute('aria-describedby'))
    if (note) note.textContent = sentence
    say(sentence)
  }

  // report tells the portal who copied the link, for the record's activity.
  function report (button) {
    var beacon = button.getAttribute('data-copied')
    if (beacon && navigator.sendBeacon) {
      navigator.sendBeacon(beacon, new URLSearchParams([[button.name, button.value]]))
    }
  }

  function copied (button) {
    tell(button, 'Copied')
    report(button)
  }

  // On plain http browsers offer no clipboard. The old execCommand reports
  // success also where nothing was copied, so the person's own keys do it.
  function select (button, field) {
    if (field.select) {
      field.focus()
      field.setSelectionRange(0, field.value.length)
    } else {
      window.getSelection().selectAllChildren(field)
    }
    tell(button, 'Press Ctrl+C (or hold and choose Copy)')
  }

  document.addEventListener('click', function (event) {
    var button = closest(event, '[data-copy]')
    if (!button) return
    var field = document.getElementById(button.getAttribute('data-copy'))
    if (!navigator.clipboard || !navigator.clipboard.writeText) return select(button, field)
    navigator.clipboard.writeText(field.value || field.innerText).then(
      function () { copied(button) },
      function () { select(button, field) }
    )
  })

  document.addEventListener('click', function (event) {
    if (closest(event, '[data-print]')) window.print()
  })

  // Whoever copies it by hand has copied it all the same.
  document.addEventListener('copy', function (event) {
    if (!closest(event, '[data-reset-link]')) return
    var button = document.querySelector('[data-copy="' + event.target.id + '"]')
    if (button) report(button)
  })

  // A link shown to be copied is selected whole by one press on it.
  document.addEventListener('focusin', function (event) {
    if (closest(event, '[data-reset-link]')) event.target.select()
  })

  // --- Show password -----------------------------------------------------

  document.addEventListener('change', function (event) {
    var box = closest(event, '[data-show]')
    if (!box) return
    box.getAttribute('data-show').split(' ').forEach(function (id) {
      var field = document.getElementById(id)
      if (field) field.type = box.checked ? 'text' : 'password'
    })
  })

  // Password managers and browsers keep a field's past when it is sent as text.
  document.addEventListener('submit', function (event) {
    var box = event.target.querySelector('[data-show]:checked')
    if (!box) return
    box.checked = false
    box.dispatchEvent(new Event('change', { bubbles: true }))
  }, true)

  // --- Suggest a passphrase ----------------------------------------------

  // One press puts one into both fields, and beneath to be read; the next press
  // another.
  document.addEventListener('click', function (event) {
    var button = closest(event, '[data-suggest]')
    if (!button) return
    var all = button.getAttribute('data-suggest').split(' ')
    var field = document.getElementById('password')
    var again = document.getElementById('password_confirm')
    field.value = again.value = all[(all.indexOf(field.value) + 1) % all.length]
    field.dispatchEvent(new Event('input', { bubbles: true }))
    var note = document.getElementById('suggested')
    note.hidden = false
    note.querySelector('.key-text').textContent = field.value
    say(note.textContent)
  })

  // --- A password while it is typed --------------------------------------

  // Members' pages come without htmx: it would be the most of their weight, and
  // phones as old as iOS 12 cannot read it. Only the fields that the meter needs
  // are sent: never the password that somebody has now.
  var pause = 0
  var asked = 0

  document.addEventListener('input', function (event) {
    var meter = document.getElementById('password-meter')
    if (!meter || event.target.id !== 'password') return
    clearTimeout(pause)
    pause = setTimeout(function () { measure(meter, event.target) }, 500)
  })

  function measure (meter, field) {
    var mine = ++asked
    var sent = new URLSearchParams()
    meter.getAttribute('data-sends').split(' ').forEach(function (name) {
      sent.append(name, field.form.elements[name].value)
    })
    fetch('/password-strength', { method: 'POST', credentials: 'same-origin', body: sent }).then(function (answer) {
      return answer.status === 200 ? answer.text() : ''
    }).catch(function () { return '' }).then(function (said) {
      if (mine === asked && said) measured(meter, field, said)
    })
  }

  // What is said now takes the place of what was wrong before. The same is not
  // said twice.
  function measured (meter, field, said) {
    var was = meter.textContent
    var fresh = document.createElement('div')
    fresh.innerHTML = said
    if (fresh.textContent !== was) meter.innerHTML = said
    var wrong = document.getElementById('password-wrong')
    if (wrong) wrong.hidden = true
    field.removeAttribute('aria-invalid')
  }

  // --- What was typed and not saved --------------------------------------

  // A letter is written for half an hour. One press on a way elsewhere loses it:
  // a page that is not to be kept comes back empty of what was typed in it. A
  // form that came back from a press holds what is nowhere else.
  var unsaved = document.querySelector('form[data-unsaved="yes"]') !== null

  document.addEventListener('input', function (event) {
    if (closest(event, 'form[data-unsaved]')) unsaved = true
  })

  document.addEventListener('submit', function (event) {
    if (event.target.hasAttribute('data-unsaved')) unsaved = false
  })

  window.addEventListener('beforeunload', function (event) {
    if (!unsaved) return
    event.preventDefault()
    event.returnValue = '' // what older browsers go by
  })

  // --- Passkeys ----------------------------------------------------------

  // A form with data-passkey carries the question for the browser and takes its
  // answer along: "get" one of somebody's, "find" anybody's, or "create" one.
  var silent = null // the question that waits in the field for the login

  function bytes (text) {
    var raw = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
    return Uint8Array.from(raw, function (c) { return c.charCodeAt(0) })
  }

  function coded (buffer) {
    if (!buffer) return undefined
    var raw = ''
    new Uint8Array(buffer).forEach(function (b) { raw += String.fromCharCode(b) })
    return btoa(raw).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
  }

  function question (form) {
    var asked = JSON.parse(form.getAttribute('data-options'))
    asked.challenge = bytes(asked.challenge)
    if (asked.user) asked.user.id = bytes(asked.user.id)
    ;[asked.allowCredentials, asked.excludeCredentials].forEach(function (list) {
      if (list) list.forEach(function (known) { known.id = bytes(known.id) })
    })
    return asked
  }

  function answer (form, key) {
    var said = key.response
    form.elements.credential.value = JSON.stringify({
      id: key.id,
      rawId: coded(key.rawId),
      type: key.type,
      clientExtensionResults: {},
      response: {
        clientDataJSON: coded(said.clientDataJSON),
        attestationObject: coded(said.attestationObject),
        transports: said.attestationObject && said.getTransports ? said.getTransports() : undefined,
        authenticatorData: said.attestationObject ? undefined : coded(said.authenticatorData),
        signature: coded(said.signature),
        userHandle: coded(said.userHandle)
      }
    })
    take(form)
    form.submit()
  }

  // take adds what the form beside it says as well: where to go, whether to
  // stay signed in, which password was right.
  function take (form) {
    ;['ticket', 'next', 'keep'].forEach(function (name) {
      var given = document.querySelector('form:not([data-passkey]) [name="' + name + '"]')
      if (!given || given.type === 'checkbox' && !given.checked) return
      var copy = document.createElement('input')
      copy.type = 'hidden'
      copy.name = name
      copy.value = given.value
      form.appendChild(copy)
    })
  }

  function refuse (form, error) {
    var note = form.querySelector('[role="status"]')
    note.textContent = error.name === 'InvalidStateError'
      ? 'This device keeps a passkey for you already.'
      : 'Nothing happened. Try again, or choose another way.'
  }

  document.addEventListener('submit', function (event) {
    var form = event.target
    if (!form.hasAttribute('data-passkey') || form.elements.credential.value) return
    event.preventDefault()
    if (silent) silent.abort()
    form.querySelector('[role="status"]').textContent = ''
    var how = form.getAttribute('data-passkey') === 'create' ? 'create' : 'get'
    navigator.credentials[how]({ publicKey: question(form) }).then(
      function (key) { answer(form, key) },
      function (error) { refuse(form, error) }
    )
  })

  // Where the browser can, it offers passkeys below the field for the login, as
  // it offers passwords; the button is for all others.
  function offer (form) {
    var login = document.getElementById('login')
    var known = window.PublicKeyCredential.isConditionalMediationAvailable
    if (form.getAttribute('data-passkey') !== 'find' || !login || !known || !window.AbortController) return
    known.call(window.PublicKeyCredential).then(function (can) {
      if (!can) return
      login.setAttribute('autocomplete', 'username webauthn')
      silent = new AbortController()
      navigator.credentials.get({ publicKey: question(form), mediation: 'conditional', signal: silent.signal }).then(
        function (key) { answer(form, key) },
        function () {} // nobody asked for it
      )
    })
  }

  document.querySelectorAll('[data-passkey]').forEach(function (form) {
    if (window.PublicKeyCredential && navigator.credentials) offer(form)
    else form.hidden = true
  })

  // --- Find a member -----------------------------------------------------

  // One field on a page finds members: the one in the head shows its hits below
  // itself, the one of the list changes the list. The cursor stays in it; arrows
  // move the choice through the hits, which is aria-selected.

  // Keys are faster than the answer to the last letter. While it is due, arrows
  // are kept and Enter waits: both mean its hits, never those of an older one.
  var due = false
  var steps = []
  var opening = false

  function forget () {
    steps = []
    opening = false
  }

  function ask (field) {
    due = true
    window.htmx.trigger(field, 'search')
  }

  function finder () { return document.querySelector('[data-finds]') }

  function place (field) { return document.getElementById(field.getAttribute('data-finds')) }

  // answers reports whether what is shown answers what is typed. The server
  // takes the same signs for spaces.
  function answers (field) {
    var sought = place(field).querySelector('[data-sought]')
    return sought && sought.getAttribute('data-sought') === field.value.replace(/[\s\0- \x7f-\x9f]+/g, ' ').trim()
  }

  function open (field) {
    var hits = place(field)
    var hit = hits.querySelector('[aria-selected]') || hits.querySelector('[data-near]')
    if (hit) (hit.href ? hit : hit.querySelector('.badge')).click()
  }

  function move (field, by) {
    var hits = Array.from(place(field).querySelectorAll('tbody tr, [role="option"]'))
    var was = hits.indexOf(place(field).querySelector('[aria-selected]'))
    var hit = hits[was + by]
    if (!hit) return
    if (was >= 0) hits[was].removeAttribute('aria-selected')
    hit.setAttribute('aria-selected', 'true')
    hit.scrollIntoView({ block: 'nearest' })
    if (hit.id) field.setAttribute('aria-activedescendant', hit.id)
    else say(hit.querySelector('a').textContent)
  }

  document.addEventListener('keydown', function (event) {
    var field = finder()
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return

    if (event.key === '/' && !closest(event, ':read-write')) {
      var list = document.querySelector('[href="/admin/members"]')
      if (field || list) event.preventDefault()
      if (field) {
        field.focus()
        field.select()
      } else if (list) location = list.href + '#q'
    }
    if (!field) return
    if (event.key === 'Escape') {
      var menu = closest(event, 'details[open]')
      if (menu) {
        menu.open = false
        menu.querySelector('summary').focus()
      } else if (closest(event, '.find') && shut()) {
        // The browser's own Escape empties the field.
        event.preventDefault()
      }
      return
    }
    if (event.target !== field || !window.htmx) return
    var by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (by) {
      event.preventDefault()
      if (answers(field)) move(field, by)
      else if (!due) ask(field)
      else if (!opening) steps.push(by)
    }
    if (event.key !== 'Enter' || !field.value.trim() && !place(field).querySelector('[aria-selected]')) return
    event.preventDefault()
    if (answers(field)) return open(field)
    opening = true
    ask(field)
  })

  // An answer to the same letters, but to another filter, is an older one too.
  document.addEventListener('input', function (event) {
    var field = finder()
    if (!field || event.target.form !== field.form) return
    var sought = event.target !== field && place(field).querySelector('[data-sought]')
    if (sought) sought.removeAttribute('data-sought')
    due = true
    forget()
  })

  // Whoever went elsewhere is not taken away from there.
  document.addEventListener('focusout', forget)

  // answered says what was found, unless the browser does: it reads the hit
  // that is chosen below the field.
  function answered (field) {
    var hit = place(field).querySelector('[role="option"]')
    var sought = place(field).querySelector('[data-sought]')
    expand(field, hit)
    if (sought && !hit) say(sought.textContent)
    if (!answers(field)) return
    var opens = opening
    due = false
    steps.forEach(function (by) { move(field, by) })
    forget()
    if (opens) open(field)
  }

  function expand (field, hit) {
    if (!field.hasAttribute('aria-expanded')) return
    field.setAttribute('aria-expanded', !!hit)
    if (hit) field.setAttribute('aria-activedescendant', hit.id)
    else field.removeAttribute('aria-activedescendant')
  }

  // shut closes the hits below the field, and reports whether there were any.
  function shut () {
    var hits = document.getElementById('hits')
    forget()
    if (!hits || !hits.firstChild) return false
    hits.textContent = ''
    expand(finder())
    return true
  }

  document.addEventListener('focusin', function (event) {
    if (!closest(event, '.find')) shut()
  })

  document.addEventListener('click', function (event) {
    var near = closest(event, '[data-near]')
    if (!near || !window.htmx) return
    event.preventDefault()
    finder().value = near.getAttribute('data-near')
    finder().focus()
    ask(finder())
  })

  document.addEventListener('click', function (event) {
    if (!closest(event, '.find')) shut()
    var menu = document.querySelector('.me[open]')
    if (menu && !menu.contains(event.target)) menu.open = false
  })

  // On a phone the filters are one line: the chosen one is pushed into sight.
  function sift () {
    var filter = document.querySelector('.sieve :checked')
    if (filter) filter.parentNode.parentNode.scrollLeft = filter.parentNode.offsetLeft - 32
  }

  sift()
  if (location.hash === '#q') finder().focus()

  // --- htmx --------------------------------------------------------------

  // What is swapped in fades in, unless it says what stood there before: the
  // letter's state is asked for every two seconds and mostly is the same.
  var before = new WeakMap()

  document.addEventListener('htmx:before:swap', function (event) {
    event.detail.tasks.forEach(function (task) {
      if (task.target && task.target.textContent !== undefined) before.set(task.target, words(task.target))
    })
  })

  document.addEventListener('htmx:before:settle', function (event) {
    var fresh = event.detail.newContent
    var was = before.get(event.target) || before.get(event.detail.task.target)
    if (was === fresh.map(words).join(' ').trim()) return
    fresh.forEach(function (node) {
      if (node.classList) node.classList.add('arrived')
    })
  })

  function words (node) {
    return node.textContent.replace(/\s+/g, ' ').trim()
  }

  document.addEventListener('htmx:after:swap', function (event) {
    var field = finder()
    if (field && event.detail.ctx.target === place(field)) answered(field)
    if (event.detail.ctx.target === document.body) sift()
    // The pressed button may be gone with what it belonged to. Polls come by
    // themselves and must not move anybody.
    var status = document.getElementById('reset-status')
    dye()
    if (event.detail.ctx.request.method !== 'POST') return
    attend()
    // A code that was just made is what is read next; any other act says in the
    // status message what became of it.
    var code = document.getElementById('spoken')
    if (code) code.focus()
    else if (status && document.activeElement === document.body) status.focus({ preventScroll: true })
  })

  // The poll brings the letter's line alone. The tag around it follows: green
  // once the letter was accepted, brick once it was refused.
  function dye () {
    var letter = document.getElementById('letter-state')
    var tag = letter && letter.parentNode
    if (tag) tag.className = ('tag ' + letter.getAttribute('data-tag')).trim()
  }

  // A press that never reached the server must not look like one that did.
  document.addEventListener('htmx:error', function () {
    due = false
    forget()
    say('That did not reach the server. Check the connection and try again.')
    var notice = document.getElementById('unreached')
    if (notice) notice.hidden = false
  })

  document.addEventListener('htmx:after:request', function () {
    var notice = document.getElementById('unreached')
    if (notice) notice.hidden = true
  })

  // After a refused form, reading starts at what is wrong.
  function attend () {
    var mistake = document.querySelector('.mistakes, main [aria-invalid="true"]')
    if (mistake) mistake.focus()
  }

  attend()
}())
