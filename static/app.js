// What the pages do beyond links and forms. Every page works without it.
//
// Listeners sit on the document, so what htmx swaps in later works too. Members
// may open the pages on phones as old as iOS 12: ES2017 only, no ?. and no ??.
(function () {
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
    field.focus()
    field.setSelectionRange(0, field.value.length)
    tell(button, 'Press Ctrl+C (or hold and choose Copy)')
  }

  document.addEventListener('click', function (event) {
    var button = closest(event, '[data-copy]')
    if (!button) return
    var field = document.getElementById(button.getAttribute('data-copy'))
    if (!navigator.clipboard || !navigator.clipboard.writeText) return select(button, field)
    navigator.clipboard.writeText(field.value).then(
      function () { copied(button) },
      function () { select(button, field) }
    )
  })

  // Whoever copies it by hand has copied it all the same.
  document.addEventListener('copy', function (event) {
    if (!event.target.hasAttribute || !event.target.hasAttribute('data-reset-link')) return
    var button = document.querySelector('[data-copy="' + event.target.id + '"]')
    if (button) report(button)
  })

  // A link shown to be copied is selected whole by one press on it.
  document.addEventListener('focusin', function (event) {
    if (event.target.hasAttribute('data-reset-link')) event.target.select()
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

  // --- Find a member -----------------------------------------------------

  // Enter may come before the answer to the last letter: then the first hit is
  // opened when the answer is there, never one of an older answer.
  var opening = false

  function open (field) {
    var hits = document.getElementById(field.getAttribute('data-finds'))
    var sought = hits && hits.querySelector('[data-sought]')
    if (!sought || sought.getAttribute('data-sought') !== field.value.trim()) return false
    var first = hits.querySelector('[data-open]')
    if (first) window.location.href = first.getAttribute('data-open')
    return true
  }

  document.addEventListener('keydown', function (event) {
    var field = document.querySelector('[data-finds]')
    if (!field || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return

    if (event.key === '/' && !closest(event, 'input, select, textarea, [contenteditable]')) {
      event.preventDefault()
      field.focus()
      field.select()
      return
    }
    if (event.key === 'Escape') {
      var list = closest(event, 'details[open]')
      if (list) {
        list.open = false
        list.querySelector('summary').focus()
      } else if (closest(event, '.find')) {
        shut()
      }
      return
    }
    if (event.target !== field || event.key !== 'Enter' || !window.htmx || !field.value.trim()) return
    event.preventDefault()
    opening = !open(field)
    if (opening) window.htmx.trigger(field, 'search')
  })

  document.addEventListener('input', function () { opening = false })

  function shut () {
    var hits = document.querySelector('.bar .hits')
    if (hits) hits.textContent = ''
  }

  document.addEventListener('click', function (event) {
    if (!closest(event, '.find')) shut()
    Array.prototype.forEach.call(document.querySelectorAll('.me[open]'), function (menu) {
      if (!menu.contains(event.target)) menu.open = false
    })
  })

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
    var field = document.querySelector('[data-finds]')
    if (opening && field && open(field)) opening = false
    // The pressed button may be gone with what it belonged to. Polls come by
    // themselves and must not move anybody.
    var status = document.getElementById('reset-status')
    dye()
    if (event.detail.ctx.request.method !== 'POST') return
    attend()
    if (status && document.activeElement === document.body) status.focus({ preventScroll: true })
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
    opening = false
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
