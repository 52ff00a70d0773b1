// readSpans answers where a span was, from StorySpans (spans.go). ownerAt names the owner of a shard at a
// time, which stands in for the worker where the world did not see that.
const readSpans = (data, ownerAt) => {
  const mask = (1n << 64n) - 1n
  const inverse = a => { // of an odd number, modulo 2^64, by Newton's method
    let v = a
    for (let i = 0; i < 6; i++) v = v * (2n - a * v & mask) & mask
    return v
  }
  // unmix is load.unmix, which turns random bits into the number that they were made from.
  const unshift = (y, n) => y ^ y >> n ^ y >> 2n * n
  const unmixA = inverse(0xbf58476d1ce4e5b9n), unmixB = inverse(0x94d049bb133111ebn)
  const unmix = y => unshift(unshift(unshift(y, 31n) * unmixB & mask, 27n) * unmixA & mask, 30n)
  const mixA = 0xbf58476d1ce4e5b9n, mixB = 0x94d049bb133111ebn
  const mix = v => {
    v = (v ^ v >> 30n) * mixA & mask
    v = (v ^ v >> 27n) * mixB & mask
    return v ^ v >> 31n
  }
  const idKey = BigInt('0x' + data.idKey), traceKey = BigInt('0x' + data.traceKey)
  const idOf = seq => (mix(BigInt(seq) ^ idKey)).toString(16).padStart(16, '0')
  const traces = data.traces || []

  // absolute undoes that each number is what is added to the last that is known.
  const absolute = list => {
    let last = 0
    return list.map(v => v <= -1099511627776 ? null : last += v)
  }
  const holds = (text, i) => text === '' || text.split(',').some(part => {
    const [low, high] = part.split('-').map(Number)
    return i >= low && i <= (high === undefined ? low : high)
  })
  const who = (consumer, worker) => worker < 0 ? `consumer ${consumer}`
    : consumer > 0 ? `worker ${worker} of consumer ${consumer}` : `worker ${worker}`

  // parse returns what a text names: the number of a span, or of the root of a trace.
  const parse = text => {
    text = text.replace(/-/g, '')
    if (/^[0-9a-f]{32}$/.test(text)) return {root: Number(unmix(BigInt('0x' + text.slice(16))) ^ traceKey)}
    if (/^[0-9a-f]{16}$/.test(text)) return {seq: Number(unmix(BigInt('0x' + text)) ^ idKey)}
    if (/^[0-9]{1,12}$/.test(text)) return {seq: Number(text)}
    return null
  }
  const traceOf = asked => traces.find(t => asked.root !== undefined ? t.r === asked.root
    : asked.seq >= t.r && asked.seq < t.r + t.s.length)

  const find = text => {
    const asked = parse(text), t = asked && traceOf(asked)
    if (!t) return null
    return asked.root !== undefined ? ofTrace(t) : ofSpan(t, asked.seq - t.r)
  }

  const words = (t, entry) => {
    const [, step, consumer, worker, g] = entry, name = g >= 0 ? 'generation ' + t.g[g] : ''
    return [
      () => `stored by ${who(consumer, worker)}, in ${name}`,
      () => `${name} is no more: merged into another`,
      () => `${name} is queued in shard ${t.p}`,
      () => `${name} is leased by ${who(consumer, worker)}`,
      () => `${name} cannot be claimed by ${who(consumer, worker)}`,
      () => `${name} is loaded by ${who(consumer, worker)}`,
      () => {
        const owner = data.exact ? '' : ownerAt(t.p, entry[0] / 1000)
        return `out: output record ${entry[6]}` + (owner && `; the owner of shard ${t.p} is ${owner} then`)
      },
      () => `${name} is acknowledged by ${who(consumer, worker)}, and deleted`,
      () => `${name}: the acknowledgement of ${who(consumer, worker)} changes nothing`,
      () => `${name} is put back into the queue by ${who(consumer, worker)}`,
      () => `dead letter: record ${entry[6]}`,
      () => 'sent once more',
    ][step]()
  }

  // ofSpan follows one span: what names it, and what happened to the generations that it was in.
  const ofSpan = (t, i) => {
    const sent = absolute(t.s)[i], offset = absolute(t.o)[i], steps = []
    const place = offset === null ? '' : ` to ${t.p}@${offset} of the input`
    if (sent !== null) steps.push({t: sent / 1000, text: `sent${place || ` to partition ${t.p} of the input`}`})
    const mine = new Set(), others = new Set()
    for (const e of t.e || []) {
      const [, step, , , g, spans = ''] = e
      if (step === 0 && holds(spans, i)) mine.add(g)
      if (step === 5 && !holds(spans, i)) others.add(g)
    }
    // What a merged generation held is in those that its batch left.
    for (const e of t.e || []) if (e[1] === 1 && mine.has(e[4]))
      for (const into of t.e) if (into[1] === 0 && into[0] === e[0]) mine.add(into[4])
    let out = 0
    for (const e of t.e || []) {
      const [at, step, , , g, spans = ''] = e
      const named = [0, 5, 6, 10, 11].includes(step)
      if (named ? !holds(spans, i) : !mine.has(g) || others.has(g)) continue
      if (step === 6) out++
      steps.push({t: at / 1000, text: (step === 6 && out > 1 ? 'again ' : '') + words(t, e)})
    }
    const seq = t.r + i
    const end = sent === null ? 'never sent' : out > 1 ? `came out ${out} times`
      : out === 1 ? 'came out' : (t.e || []).some(e => e[1] === 10 && holds(e[5], i)) ? 'is a dead letter' : 'never came out'
    return {title: `Span ${idOf(seq)}, number ${seq}, at place ${i + 1} of its trace, partition ${t.p}: ${end}.`, shard: t.p, steps}
  }

  const ofTrace = t => {
    const sent = absolute(t.s).filter(v => v !== null), steps = []
    if (sent.length) steps.push({t: Math.min(...sent) / 1000, text: 'its first span is sent'},
      {t: Math.max(...sent) / 1000, text: 'its last span is sent'})
    for (const e of t.e || []) {
      const spans = e[5] ? ` (spans ${e[5]})` : ''
      steps.push({t: e[0] / 1000, text: words(t, e) + spans})
    }
    steps.sort((a, b) => a.t - b.t)
    return {title: `Trace with ${sent.length} spans, the first of which is number ${t.r} (${idOf(t.r)}), partition ${t.p}.`,
      shard: t.p, steps}
  }

  const hint = data.exact ? ' To follow it: simulate replay DIR --span ID' : ''

  // why says why nothing is found.
  const why = text => {
    const asked = parse(text)
    if (!asked) return 'That is no id: a span has 16 hexadecimal digits, a trace 32; the number of a span will do.'
    const n = asked.root !== undefined ? asked.root : asked.seq
    const last = traces.length ? traces[traces.length - 1] : null
    if (!(n >= 0 && n < 1e12)) return 'This run has no such span: the id is none of its load.'
    if (traces.length < data.total && last && n < last.r)
      return `It is number ${n}, of a trace that this page leaves out.` + hint
    return data.beyond > 0 ? `It is number ${n}, which was not followed, or not sent.` + hint : `Number ${n} was not sent.`
  }
  return {find, why}
}
