'use strict'
// The timeline of a page: moves along what Story (story.go) says. It loads nothing and keeps nothing
// but its position, in the page's fragment: #t=4.02&worker=1&shard=5&span=0123456789abcdef
;(() => {
  const root = document.getElementById('timeline')
  const story = JSON.parse(document.getElementById('story').textContent)
  const $ = id => document.getElementById('tl-' + id)
  const steps = story.unit === 'step'
  const view = {from: story.from, to: story.to, t: story.from, at: -1, worker: '', shard: '', span: ''}
  const full = Math.max(story.to - story.from, 1e-3)
  const closest = steps ? 2 : 1e-3 // the shortest time that fills the width
  let moments = [] // those that pass the filter
  let found = null // the journey that is asked for

  // Elements.
  const svgOf = (name, attributes, text) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name)
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value)
    if (text !== undefined) e.textContent = text
    return e
  }
  const html = (name, className, text) => {
    const e = document.createElement(name)
    if (className) e.className = className
    if (text !== undefined) e.textContent = text
    return e
  }
  const clamp = (v, low, high) => Math.min(Math.max(v, low), high)

  // Words.
  const time = t => steps ? 'step ' + Math.round(t) : t.toFixed(3).replace(/0{1,2}$/, '') + ' s'
  const number = v => Math.abs(v) >= 1e4 ? Math.round(v).toLocaleString('en').replace(/,/g, '\u202f')
    : String(Math.round(v * 100) / 100)

  const short = v => { // for an axis
    const at = [1e9, 1e6, 1e3].findIndex(unit => Math.abs(v) >= unit * (unit === 1e3 ? 10 : 1))
    return at < 0 ? number(v) : number(Number((v / [1e9, 1e6, 1e3][at]).toPrecision(3))) + ' ' + ['G', 'M', 'k'][at]
  }

  // Filters.
  const laneOfWorker = lane => `${lane.consumer}:${lane.worker}`
  const workers = story.lanes.filter(l => l.group === 'workers' && l.worker >= 0)
  const shards = story.lanes.filter(l => l.group === 'shards' && l.shard >= 0)
  const ownersOf = lane => new Set(lane.bars.map(b => b.x.replace(/, down$/, '')))
  const nameIn = (lane, names) => names.has(lane.name) || lane.consumer === 0 && names.has('worker ' + lane.worker)
  const chosenWorker = () => workers.find(l => laneOfWorker(l) === view.worker)
  const chosenShard = () => shards.find(l => String(l.shard) === view.shard)
  const passes = lane => {
    const w = chosenWorker(), s = chosenShard()
    if (lane.shard >= 0) return (!s || lane === s) && (!w || nameIn(w, ownersOf(lane)))
    if (lane.group !== 'workers' || lane.worker < 0) return true
    return (!w || lane === w) && (!s || nameIn(lane, ownersOf(s)))
  }
  const concerns = m => {
    const w = chosenWorker(), s = chosenShard()
    if (m.bad || m.kind === 'span') return true
    const all = m.worker < 0 && !(m.shards || []).length
    if (w && !all && !(m.worker === w.worker && m.consumer === w.consumer)
      && !(m.worker < 0 && shards.some(l => m.shards.includes(l.shard) && nameIn(w, ownersOf(l))))) return false
    if (s && !all && !((m.shards || []).length ? m.shards.includes(s.shard)
      : workers.some(l => l.worker === m.worker && l.consumer === m.consumer && nameIn(l, ownersOf(s))))) return false
    return true
  }

  // Geometry of the picture.
  const rowHeight = 20, underHeight = 5, gap = 4, curveHeight = 64, axisHeight = 22, headHeight = 16
  let width = 800, left = 90, plot = 700, height = 0
  const x = t => left + (t - view.from) / (view.to - view.from) * plot
  const tAt = px => view.from + (px - left) / plot * (view.to - view.from)

  const svg = $('svg'), still = svgOf('g', {}), moving = svgOf('g', {})
  svg.append(still, moving)

  // bars draws those of a lane, one path for each class: there may be thousands.
  const bars = (list, y, h) => {
    const paths = {}
    for (const b of list) {
      if (b.t < view.from || b.f > view.to) continue
      const x0 = clamp(x(b.f), left, left + plot), x1 = clamp(x(b.t), left, left + plot)
      paths[b.c] = (paths[b.c] || '') + `M${x0.toFixed(1)} ${y}h${Math.max(x1 - x0, 0.8).toFixed(1)}v${h}H${x0.toFixed(1)}z`
    }
    for (const [c, d] of Object.entries(paths)) still.append(svgOf('path', {class: 'c-' + c, d}))
    if (h < 12) return
    // Neighbours that say the same share one text, where there is room for it.
    for (let i = 0, j; i < list.length; i = j) {
      for (j = i + 1; j < list.length && list[j].x === list[i].x && list[j].f <= list[j - 1].t; j++);
      const x0 = clamp(x(list[i].f), left, left + plot), room = clamp(x(list[j - 1].t), left, left + plot) - x0 - 8
      const fits = Math.floor(room / 6), text = list[i].x
      if (fits < 4 || fits < text.length && !steps) continue
      still.append(svgOf('text', {x: x0 + 4, y: y + h / 2 + 4, class: 'tl-label tl-on-' + list[i].c},
        fits < text.length ? text.slice(0, fits - 1) + '…' : text))
    }
  }
  const label = (text, y, extra) =>
    still.append(svgOf('text', {x: left - 6, y, 'text-anchor': 'end', class: 'tl-label ' + (extra || '')}, text))

  const niceStep = span => {
    const rough = span / Math.max(plot / 80, 2), power = 10 ** Math.floor(Math.log10(rough))
    const nice = [1, 2, 5, 10].find(n => n * power >= rough) * power
    return steps ? Math.max(1, Math.round(nice)) : nice
  }

  const lanesMax = 40
  const draw = () => {
    width = Math.max(svg.clientWidth || svg.parentNode.clientWidth, 240)
    const longest = Math.max(6, ...story.lanes.filter(passes).map(l => l.name.length))
    left = clamp(longest * 6 + 16, 60, width < 560 ? 84 : 150)
    plot = width - left - 12
    still.replaceChildren()
    let y = headHeight
    // Events: a tick each, at the top; what is wrong is tall and red.
    const top = y
    const ticks = {}
    for (const m of moments) {
      if (m.t < view.from || m.t > view.to) continue
      const kind = m.bad ? 'bad' : m.kind === 'span' ? 'span' : m.kind.startsWith('fault') ? 'fault' : 'event'
      ticks[kind] = (ticks[kind] || '') + `M${x(m.t).toFixed(1)} ${y}v${rowHeight - 6}`
    }
    label('events', y + 12)
    for (const [kind, d] of Object.entries(ticks)) still.append(svgOf('path', {class: 'tl-tick tl-' + kind, d}))
    y += rowHeight
    let shown = 0, left_out = 0, group = ''
    for (const lane of story.lanes) {
      if (!passes(lane)) continue
      if (shown++ >= lanesMax) { left_out++; continue }
      if (group && lane.group !== group) y += gap * 2
      group = lane.group
      const under = lane.under && lane.under.length
      label(lane.name, y + rowHeight / 2 + 4)
      still.append(svgOf('rect', {x: left, y, width: plot, height: rowHeight, class: 'tl-back'}))
      bars(lane.bars, y, under ? rowHeight - underHeight - 1 : rowHeight)
      if (under) bars(lane.under, y + rowHeight - underHeight, underHeight)
      y += rowHeight + gap
    }
    $('more').textContent = left_out ? `${left_out} more lanes: choose a worker or a shard to see them.` : ''
    y += gap
    for (const panel of [...new Set((story.curves || []).map(c => c.panel))])
      y = drawCurves(panel, story.curves.filter(c => c.panel === panel), y)
    if (story.certainty && (story.certainty.points || []).length) y = drawCertainty(y)
    // Faults and what is wrong, over all of it.
    for (const f of story.faults || []) {
      if (f.to < view.from || f.from > view.to) continue
      const x0 = clamp(x(f.from), left, left + plot), x1 = clamp(x(f.to), left, left + plot)
      still.prepend(svgOf('rect', {x: x0, y: top, width: Math.max(x1 - x0, 1), height: y - top, class: 'tl-shade'}))
    }
    for (const m of moments) if (m.bad && m.t >= view.from && m.t <= view.to)
      still.append(svgOf('path', {class: 'tl-wrong', d: `M${x(m.t).toFixed(1)} ${top}V${y}`}))
    if (story.loadEnds > view.from && story.loadEnds < view.to)
      still.append(svgOf('path', {class: 'tl-end', d: `M${x(story.loadEnds).toFixed(1)} ${top}V${y}`}))
    const every = niceStep(view.to - view.from)
    for (let n = Math.ceil(view.from / every - 1e-9); n * every <= view.to + 1e-9; n++) {
      const at = x(n * every)
      still.append(svgOf('path', {class: 'tl-axis', d: `M${at.toFixed(1)} ${y}v4`}))
      still.append(svgOf('text', {x: at, y: y + 16, 'text-anchor': 'middle', class: 'tl-label'},
        String(Math.round(n * every * 1e4) / 1e4)))
    }
    still.append(svgOf('path', {class: 'tl-axis', d: `M${left} ${y}h${plot}`}))
    height = y
    svg.setAttribute('viewBox', `0 0 ${width} ${y + axisHeight}`)
    svg.style.height = y + axisHeight + 'px'
    drawCursor()
  }

  const drawCurves = (panel, curves, y) => {
    y += headHeight
    const highest = Math.max(1e-9, ...curves.flatMap(c => c.ys.filter((v, i) => v !== null &&
      c.xs[i] >= view.from && c.xs[i] <= view.to)))
    still.append(svgOf('rect', {x: left, y, width: plot, height: curveHeight, class: 'tl-back'}))
    label(short(highest), y + 10, 'tl-faint')
    label('0', y + curveHeight, 'tl-faint')
    const names = svgOf('text', {x: left, y: y - 4, class: 'tl-label'})
    for (const c of curves) names.append(svgOf('tspan', {class: 'tl-name-' + c.class, dx: c === curves[0] ? 0 : 12}, c.name))
    still.append(names)
    for (const c of curves) {
      let d = '', pen = 'M'
      c.xs.forEach((t, i) => {
        const near = c.xs[Math.min(i + 1, c.xs.length - 1)] >= view.from && c.xs[Math.max(i - 1, 0)] <= view.to
        if (c.ys[i] === null || !near) { pen = 'M'; return }
        d += pen + x(t).toFixed(1) + ' ' + (y + curveHeight * (1 - c.ys[i] / highest * 0.96)).toFixed(1)
        pen = 'L'
      })
      still.append(svgOf('path', {class: 'tl-curve tl-curve-' + c.class, d, 'clip-path': 'url(#tl-clip)'}))
    }
    return y + curveHeight + gap * 2
  }

  // wilson is the interval that holds a share with 95 %, after so many of n.
  const wilson = (k, n) => {
    const z = 1.96, p = k / n, m = 1 + z * z / n, c = p + z * z / (2 * n)
    const r = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [(c - r) / m, (c + r) / m]
  }
  const drawCertainty = y => {
    y += headHeight
    const at = share => y + curveHeight * (1 - share * 0.96)
    still.append(svgOf('rect', {x: left, y, width: plot, height: curveHeight, class: 'tl-back'}))
    still.append(svgOf('text', {x: left, y: y - 4, class: 'tl-label tl-name-certainty'},
      'chance that it still fails: ' + story.certainty.violated))
    label('100 %', y + 10, 'tl-faint')
    label('0', y + curveHeight, 'tl-faint')
    let d = ''
    for (const p of story.certainty.points) {
      const px = x(p.t).toFixed(1), [low, high] = wilson(p.fails, p.runs)
      if (p.t >= view.from && p.t <= view.to) {
        still.append(svgOf('path', {class: 'tl-spread', d: `M${px} ${at(low).toFixed(1)}V${at(high).toFixed(1)}`}))
        still.append(svgOf('circle', {class: 'tl-point', cx: px, cy: at(p.fails / p.runs).toFixed(1), r: 2.5}))
      }
      d += (d ? 'L' : 'M') + px + ' ' + at(p.fails / p.runs).toFixed(1)
    }
    still.append(svgOf('path', {class: 'tl-curve tl-curve-certainty', d, 'clip-path': 'url(#tl-clip)'}))
    return y + curveHeight + gap * 2
  }

  const drawCursor = () => {
    moving.replaceChildren()
    const clip = svgOf('clipPath', {id: 'tl-clip'})
    clip.append(svgOf('rect', {x: left, y: 0, width: plot, height: height + axisHeight}))
    moving.append(clip)
    if (view.t < view.from || view.t > view.to) return
    const at = x(view.t)
    moving.append(svgOf('path', {class: 'tl-cursor', d: `M${at.toFixed(1)} ${headHeight - 4}V${height}`}))
    moving.append(svgOf('text', {x: clamp(at, left + 24, left + plot - 24), y: 10, 'text-anchor': 'middle',
      class: 'tl-label tl-cursor-text'}, time(view.t)))
  }

  // What is known of the moment at which the cursor stands.
  const barAt = (list, t) => (list || []).findLast(b => b.f <= t && t <= b.t)
  const say = () => {
    const m = moments[view.at]
    const now = m && m.t === view.t ? m : null
    $('now').replaceChildren()
    $('now').className = now && now.bad ? 'violated' : ''
    const where = steps ? ` of ${story.to}` : now ? ` (${view.at + 1} of ${moments.length})` : ' (between events)'
    $('now').append(html('strong', '', time(view.t)), where, now ? ': ' + now.text : '')
    const cells = []
    for (const lane of story.lanes) {
      if (!passes(lane)) continue
      const bar = barAt(lane.bars, view.t), under = barAt(lane.under, view.t)
      const cell = html('div')
      if (bar) cell.append(html('i', 'c-' + bar.c))
      cell.append(html('b', '', lane.name), ' ' + [bar && bar.x, under && under.x].filter(Boolean).join(', '))
      if (bar || !steps) cells.push(cell)
    }
    for (const c of story.curves || []) {
      let i = c.xs.findLastIndex(t => t <= view.t)
      if (i < 0 || c.ys[i] === null) continue
      const cell = html('div')
      cell.append(html('b', '', c.name), ' ' + number(c.ys[i]))
      cells.push(cell)
    }
    $('state').replaceChildren(...cells.slice(0, 200))
    sayStep(now)
    sayJourney()
    $('slider').value = view.t
    for (const [id, off] of [['prev', !before()], ['next', !after()],
      ['bad-prev', !before(m => m.bad)], ['bad-next', !after(m => m.bad)]]) $(id).disabled = off
  }
  const sayStep = now => {
    $('step').hidden = !(now && now.open)
    if ($('step').hidden) return
    $('open').replaceChildren(...now.open.map((text, i) => html('li', i === now.taken ? 'taken' : '', text)))
    $('changed').replaceChildren(...(now.changed || []).map(c => {
      const row = html('tr')
      row.append(html('td', '', c.what), html('td', '', c.before), html('td', '', c.after))
      return row
    }))
    $('none-changed').hidden = (now.changed || []).length > 0
  }

  // Moving.
  const before = (is = () => true) => moments.slice(0, behind()).findLast(is)
  const after = (is = () => true) => moments.slice(view.at >= 0 && moments[view.at].t === view.t ? view.at + 1
    : behind()).find(is)
  // behind is how many moments lie before the cursor.
  const behind = () => {
    if (view.at >= 0 && moments[view.at] && moments[view.at].t === view.t) return view.at
    const i = moments.findIndex(m => m.t > view.t)
    return i < 0 ? moments.length : i
  }
  const goTo = (t, at = -1) => {
    view.t = clamp(t, story.from, story.to)
    view.at = at
    const span = view.to - view.from
    if (view.t < view.from || view.t > view.to) {
      view.from = clamp(view.t - span / 2, story.from, Math.max(story.from, story.to - span))
      view.to = view.from + span
      draw()
    } else drawCursor()
    say()
    remember()
  }
  const goToMoment = m => m && goTo(m.t, moments.indexOf(m))
  const zoom = factor => {
    const span = clamp((view.to - view.from) * factor, Math.min(closest, full), full)
    view.from = clamp(view.t - span * clamp((view.t - view.from) / (view.to - view.from), 0.1, 0.9),
      story.from, story.to - span)
    view.to = view.from + span
    draw()
  }
  const pan = by => {
    const span = view.to - view.from
    view.from = clamp(view.from + by, story.from, story.to - span)
    view.to = view.from + span
    draw()
  }
  const fit = () => {
    view.from = story.from
    view.to = story.from + full
    draw()
  }
  const filter = () => {
    const extra = found ? found.steps.map(s => ({t: s.t, kind: 'span', text: s.text, worker: -1, consumer: 0})) : []
    const here = view.at >= 0 ? moments[view.at] : null
    moments = [...story.moments, ...extra].filter(concerns)
    moments.sort((a, b) => a.t - b.t) // stable
    view.at = moments.includes(here) ? moments.indexOf(here) : moments.findIndex(m => m.t === view.t)
    for (const [id, value] of [['worker', view.worker], ['shard', view.shard], ['span', view.span]])
      if ($(id)) $(id).value = value
    draw()
    say()
    remember()
  }
  const remember = () => {
    const parts = new URLSearchParams()
    parts.set('t', String(Math.round(view.t * 1e6) / 1e6))
    for (const key of ['worker', 'shard', 'span']) if (view[key]) parts.set(key, view[key])
    try { history.replaceState(null, '', '#' + parts) } catch { /* a frame has no address of its own */ }
  }

  // Where is a span.
  const ownerAt = (shard, t) => {
    const lane = shards.find(l => l.shard === shard), bar = lane && barAt(lane.bars, t)
    return bar ? bar.x : ''
  }
  const spans = story.spans ? readSpans(story.spans, ownerAt) : null
  const seek = text => {
    view.span = text.trim().toLowerCase()
    found = view.span && spans ? spans.find(view.span) : null
    $('unknown').textContent = !view.span ? '' : found ? found.title : spans ? spans.why(view.span)
      : 'This page knows nothing of spans.'
    $('unknown').hidden = !view.span
    view.shard = found && found.shard >= 0 && shards.some(l => l.shard === found.shard) ? String(found.shard) : ''
    filter()
    if (found && found.steps.length) goToMoment(moments.find(m => m.kind === 'span'))
  }
  const sayJourney = () => {
    $('journey').hidden = !found
    if (!found) return
    const last = found.steps.findLast(s => s.t <= view.t)
    $('journey').replaceChildren(...found.steps.map(s => {
      const item = html('li', s === last ? 'taken' : s.t > view.t ? 'later' : '')
      const jump = html('button', 'tl-jump', time(s.t))
      jump.type = 'button'
      jump.addEventListener('click', () => goToMoment(moments.find(m => m.kind === 'span' && m.t === s.t && m.text === s.text)))
      item.append(jump, ' ' + s.text)
      return item
    }))
  }

  // Hands: keys, buttons, pointer.
  const acts = {
    next: () => goToMoment(after()), prev: () => goToMoment(before()),
    'bad-next': () => goToMoment(after(m => m.bad)), 'bad-prev': () => goToMoment(before(m => m.bad)),
    'in': () => zoom(0.5), out: () => zoom(2), fit,
    clear: () => { view.worker = view.shard = ''; seek('') },
  }
  for (const [id, act] of Object.entries(acts)) $(id).addEventListener('click', act)
  const keys = {
    ArrowRight: acts.next, ArrowLeft: acts.prev, n: acts.next, p: acts.prev,
    v: acts['bad-next'], V: acts['bad-prev'], '+': acts.in, '=': acts.in, '-': acts.out, 0: fit,
    Home: () => goToMoment(moments[0]), End: () => goToMoment(moments[moments.length - 1]),
    Escape: acts.clear, '/': () => $('span') && $('span').focus(),
  }
  const shifted = {
    ArrowRight: () => goTo(view.t + (view.to - view.from) / 100), ArrowLeft: () => goTo(view.t - (view.to - view.from) / 100),
  }
  document.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const typing = e.target && /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)
    if (typing && !(e.key === 'Escape')) return
    const act = e.shiftKey && shifted[e.key] || keys[e.key]
    if (!act) return
    if (typing) e.target.blur()
    e.preventDefault()
    act()
  })
  $('slider').addEventListener('input', e => goTo(Number(e.target.value)))
  let grip = null
  svg.addEventListener('pointerdown', e => { grip = {x: e.clientX, from: view.from, moved: false} })
  svg.addEventListener('pointermove', e => {
    if (!grip || Math.abs(e.clientX - grip.x) < 5 && !grip.moved) return
    grip.moved = true
    pan(grip.from - (e.clientX - grip.x) / plot * (view.to - view.from) - view.from)
  })
  window.addEventListener('pointerup', e => {
    if (grip && !grip.moved && svg.contains(e.target)) {
      const px = e.clientX - svg.getBoundingClientRect().left
      const near = moments.reduce((best, m) => !best || Math.abs(x(m.t) - px) < Math.abs(x(best.t) - px) ? m : best, null)
      if (near && Math.abs(x(near.t) - px) < 6) goToMoment(near)
      else goTo(steps ? Math.round(tAt(px)) : tAt(px))
    }
    grip = null
  })
  window.addEventListener('pointercancel', () => { grip = null })

  // Beginning.
  const choose = (id, list, value) => {
    for (const lane of list) $(id).append(new Option(lane.name, value(lane)))
    $(id).addEventListener('change', e => { view[id] = e.target.value; filter() })
    $(id).parentNode.hidden = list.length < 2
  }
  choose('worker', workers, laneOfWorker)
  choose('shard', shards, l => String(l.shard))
  $('find').hidden = !story.spans
  $('find').addEventListener('submit', e => { e.preventDefault(); seek($('span').value) })
  $('slider').min = story.from
  $('slider').max = story.to
  $('slider').step = steps ? 1 : 'any'
  $('bad-next').parentNode.hidden = !story.moments.some(m => m.bad)
  for (const lane of document.querySelectorAll('[data-span]'))
    lane.addEventListener('click', () => { seek(lane.dataset.span); root.scrollIntoView() })
  // begin goes where the fragment says; what it does not name stays.
  const begin = () => {
    const parts = new URLSearchParams(location.hash.slice(1))
    for (const key of ['worker', 'shard']) if (parts.has(key)) view[key] = parts.get(key)
    if (parts.get('span')) seek(parts.get('span'))
    else filter()
    const t = parts.get('t')
    if (t === null || !isFinite(t)) return false
    const exact = moments.find(m => m.t === Number(t))
    if (exact) goToMoment(exact)
    else goTo(Number(t))
    return true
  }
  root.hidden = false
  let drawn = 0
  new ResizeObserver(() => {
    if (svg.parentNode.clientWidth === drawn) return
    drawn = svg.parentNode.clientWidth
    draw()
  }).observe(svg.parentNode)
  fit()
  if (!begin() && !view.span)
    goToMoment(!steps && moments.find(m => m.bad) || moments.find(m => m.t >= 0) || moments[0])
  window.addEventListener('hashchange', () => { if (begin()) root.scrollIntoView() })
})()
