// Everything on the page except its buttons works without this script. The
// script keeps the list up to date, asks before a button does something, and
// copies the command.
'use strict'

const byId = (id) => document.getElementById(id)
const main = byId('main')

// say shows a sentence, and has it read aloud by screen readers.
function say(text, bad) {
	const said = byId('said')
	said.textContent = text
	said.classList.toggle('bad', Boolean(bad))
}

// confirmed asks a question, and resolves to true if the answer is yes.
function confirmed(question) {
	const ask = byId('ask')
	byId('question').textContent = question
	ask.returnValue = ''
	ask.showModal()
	byId('no').focus()
	return new Promise((resolve) => {
		ask.addEventListener('close', () => resolve(ask.returnValue === 'yes'), { once: true })
	})
}
byId('no').addEventListener('click', () => byId('ask').close(''))
byId('yes').addEventListener('click', () => byId('ask').close('yes'))

document.addEventListener('submit', async (event) => {
	const form = event.target
	if (form.method === 'get') { // an address without what is empty
		for (const field of form.elements) field.disabled = field.name !== '' && field.value === ''
		return
	}
	event.preventDefault()
	const button = event.submitter
	if (form.dataset.confirm && !await confirmed(form.dataset.confirm)) {
		button?.focus()
		return
	}
	if (button) button.disabled = true
	say('…')
	try {
		const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) })
		say((await answer.text()).trim(), !answer.ok)
		await refresh()
	} catch {
		say('The page’s server cannot be reached.', true)
	}
	if (button) button.disabled = false
})

document.addEventListener('change', (event) => {
	if (event.target.matches('.filters select')) event.target.form.requestSubmit()
})

// A page that the browser restores from its cache still has the fields disabled
// that were disabled when the form was sent.
addEventListener('pageshow', () => {
	for (const field of document.querySelectorAll('.filters :disabled')) field.disabled = false
})

document.addEventListener('click', async (event) => {
	const id = event.target.dataset?.copy
	if (!id) return
	const text = byId(id)
	getSelection().selectAllChildren(text)
	try { // only where the page came over https or from this machine
		await navigator.clipboard.writeText(text.textContent)
		say('Copied.')
	} catch {
		say('Selected: copy it with the keyboard or the menu.')
	}
})

// tick updates the texts that say how long ago something was.
function tick() {
	for (const time of document.querySelectorAll('time[data-ago]')) {
		const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000))
		const [n, unit] = seconds < 60 ? [seconds, 'second'] : seconds < 3600 ? [Math.floor(seconds / 60), 'minute']
			: seconds < 172800 ? [Math.floor(seconds / 3600), 'hour'] : [Math.floor(seconds / 86400), 'day']
		time.textContent = `${n} ${unit}${n === 1 ? '' : 's'} ago`
	}
}
setInterval(tick, 10_000)

// refresh loads the page again and replaces the parts that have changed. None
// of it is executed: the parser creates a document without running scripts.
async function refresh(signal) {
	const answer = await fetch(location.href, { signal })
	const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
	const news = fresh.getElementById('main')
	if (!news) return answer.ok
	const focused = document.activeElement
	for (const part of ['answer', 'why', 'verdicts', 'more', 'actions']) takeOver(byId(part), fresh.getElementById(part))
	if (byId('rows') && fresh.getElementById('rows')) {
		takeRows(byId('rows'), fresh.getElementById('rows'))
		document.querySelector('.rows').hidden = fresh.querySelector('.rows').hidden
	}
	main.dataset.newest = news.dataset.newest ?? ''
	if (focused && !focused.isConnected) refocus(focused)
	return answer.ok
}

function takeOver(old, fresh) {
	if (!old || !fresh) return
	for (const details of old.querySelectorAll('details[data-key]')) { // opened and closed by hand
		const same = fresh.querySelector(`[data-key="${CSS.escape(details.dataset.key)}"]`)
		if (same) same.open = details.open
	}
	if (old.outerHTML === fresh.outerHTML) return
	old.replaceWith(document.adoptNode(fresh))
}

// takeRows leaves existing rows in place, so that neither the focus nor the
// scroll position is lost.
function takeRows(old, fresh) {
	let place = old.firstElementChild
	for (const row of [...fresh.children]) {
		const known = byId(row.id)
		if (!known) {
			row.classList.add('new')
			old.insertBefore(document.adoptNode(row), place)
			continue
		}
		while (place && place !== known) { // rows that are no longer listed
			const gone = place
			place = place.nextElementSibling
			gone.remove()
		}
		place = known.nextElementSibling
		if (known.innerHTML !== row.innerHTML) known.replaceChildren(...row.children)
	}
	while (place) {
		const gone = place
		place = place.nextElementSibling
		gone.remove()
	}
}

// refocus focuses the element that replaces the one that had the focus.
function refocus(old) {
	const mark = (e) => e.getAttribute('href') ?? e.closest('[data-key], form')?.dataset.key ?? e.textContent
	const same = [...document.querySelectorAll(old.localName)].find((e) => mark(e) === mark(old))
	same?.focus({ preventScroll: true })
}

// The list waits for news while its tab is visible, and otherwise holds no
// connection. It loads the page again at most once a second, and less often if
// that takes long, so that an open page costs a busy gateway next to nothing.
if (main && 'live' in main.dataset) {
	const live = byId('live')
	const pause = document.createElement('button')
	const state = document.createElement('span')
	pause.type = 'button'
	live.append(state, pause)
	let paused = false
	let waiting // ends the wait

	const show = () => {
		state.className = paused ? 'paused' : failures ? 'lost' : 'on'
		state.textContent = paused ? 'Paused' : failures ? 'No connection' : 'Live'
		pause.textContent = paused ? 'Go on' : 'Pause'
	}
	const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
	let failures = 0
	let running = false

	const run = async () => {
		if (running) return
		running = true
		while (!paused && !document.hidden) {
			waiting = new AbortController()
			const began = performance.now()
			try {
				const fine = await refresh(waiting.signal)
				const took = performance.now() - began
				failures = fine ? 0 : failures + 1
				show()
				await sleep(Math.min(10_000, Math.max(1000, 20 * took, failures && 2000)))
				if (paused || document.hidden) break
				if (fine) await news(waiting.signal)
			} catch (error) {
				if (error.name === 'AbortError') continue
				failures++
				show()
				await sleep(Math.min(10_000, 1000 * failures))
			}
		}
		running = false
	}
	const news = async (signal) => {
		const query = new URLSearchParams(location.search)
		query.set('after', main.dataset.newest || '0')
		const answer = await fetch('news?' + query, { signal })
		if (!answer.ok) throw new Error(answer.statusText)
	}
	const change = () => {
		if (paused || document.hidden) waiting?.abort()
		else run()
		show()
	}
	pause.addEventListener('click', () => {
		paused = !paused
		change()
	})
	document.addEventListener('visibilitychange', change)
	addEventListener('pagehide', () => waiting?.abort())
	show()
	run()
}
