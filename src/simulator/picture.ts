// Draws a history as a space-time diagram: a lane for each client and node, time downwards, arrows from where a message left to where it
// came, what was cut off shaded, violations marked. One HTML file that needs no other. Pure; decides only what goes where.

import type { Message } from './wiretap.ts'

export interface HistoryEvent {
  /** Simulated milliseconds. */
  readonly at: number
  /** As the trace has it. */
  readonly text: string
}

export interface Picture {
  readonly title: string
  readonly summary: readonly string[]
  readonly nodes: readonly string[]
  readonly events: readonly HistoryEvent[]
  readonly messages: readonly Message[]
}

const LANE = { first: 120, width: 190, top: 70 }
/** Pixels between two moments: they grow with the logarithm of the time between. */
const GAP = { least: 5, perDoubling: 4, most: 46 }
const LABEL_LENGTH = 46
/** More messages than these are drawn without words, which are shown where the pointer is. */
const LABELLED_MAX = 150

const COLOURS: Readonly<Record<Message['kind'] | 'client', string>> = {
  client: '#1f4e9c',
  write: '#b35900',
  hint: '#8a2be2',
  read: '#2e7d32',
  exchange: '#00838f',
  reply: '#9a9a9a',
  other: '#d0d0d0',
}

interface Cut {
  readonly way: string
  readonly from: number
  to: number
}

export function drawPicture({ title, summary, nodes, events, messages }: Picture): string {
  const end = Math.max(0, ...events.map(({ at }) => at))
  const clients = [...new Set(events.flatMap(({ text }) => /^(c\d+) [→←] /.exec(text)?.[1] ?? []))].sort()
  const lanes = [...clients, ...nodes]
  const shown = messages.filter(({ kind, cameAt }) => kind !== 'other' && cameAt <= end)
  const times = [...events.map(({ at }) => at), ...shown.flatMap(({ sentAt, cameAt }) => [sentAt, cameAt])]
  const y = placesOf(times)
  const x = (lane: string): number => LANE.first + lanes.indexOf(lane) * LANE.width
  const height = y(Math.max(0, ...times)) + 60
  const width = LANE.first + lanes.length * LANE.width
  const parts = [
    ...cutsOf(events, end).map((cut) => drawCut(cut, x, y)),
    ...lanes.map((lane) => drawLane(lane, x(lane), height)),
    ...shown.map((message) => drawMessage(message, x, y, shown.length <= LABELLED_MAX)),
    ...events.flatMap((event) => drawEvent(event, lanes, x, y, width)),
  ]
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
<p>${summary.map(escaped).join('<br>')}</p>
<p class="legend">${Object.entries(COLOURS)
    .filter(([kind]) => kind !== 'other')
    .map(([kind, colour]) => `<span style="color:${colour}">■ ${kind}</span>`)
    .join(' ')} <span class="cut">■ cut off</span> <span class="violation">■ violation</span></p>
<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<defs>${Object.entries(COLOURS)
    .map(([kind, colour]) => arrowHead(kind, colour))
    .join('')}</defs>
${parts.join('\n')}
</svg>
<h2>The same in words</h2>
<pre>${events.map(({ at, text }) => escaped(`${at.toFixed(1).padStart(10)} ${text}`)).join('\n')}</pre>
</html>
`
}

/** Where each moment lies, from top to bottom. */
function placesOf(times: readonly number[]): (at: number) => number {
  const places = new Map<number, number>()
  let place = LANE.top + 20
  let before: number | null = null
  for (const at of [...new Set(times)].sort((a, b) => a - b)) {
    if (before !== null) place += Math.min(GAP.most, GAP.least + GAP.perDoubling * Math.log2(1 + 4 * (at - before)))
    places.set(at, place)
    before = at
  }
  return (at) => places.get(at) ?? LANE.top
}

function drawLane(lane: string, x: number, height: number): string {
  return `<line class="lane" x1="${x}" y1="${LANE.top}" x2="${x}" y2="${height - 20}"/><text class="name" x="${x}" y="${LANE.top - 12}">${escaped(lane)}</text>`
}

function drawMessage(
  { from, to, sentAt, cameAt, kind, text }: Message,
  x: (lane: string) => number,
  y: (at: number) => number,
  isLabelled: boolean,
): string {
  return drawArrow({ from: [x(from), y(sentAt)], to: [x(to), y(cameAt)], kind, text, isLabelled })
}

interface Arrow {
  readonly from: readonly [x: number, y: number]
  readonly to: readonly [x: number, y: number]
  readonly kind: string
  readonly text: string
  readonly isLabelled: boolean
}

function drawArrow({ from: [x1, y1], to: [x2, y2], kind, text, isLabelled }: Arrow): string {
  const label = isLabelled
    ? `<text class="label ${kind}" x="${(x1 + x2) / 2}" y="${(y1 + y2) / 2 - 2}">${escaped(shortened(text))}</text>`
    : ''
  return `<g class="${kind}"><title>${escaped(text)}</title><line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" marker-end="url(#${kind})"/>${label}</g>`
}

function drawEvent(
  { at, text }: HistoryEvent,
  lanes: readonly string[],
  x: (lane: string) => number,
  y: (at: number) => number,
  width: number,
): string[] {
  const [, client, way, host, what] = /^(c\d+) ([→←]) (\S+) (.*)$/s.exec(text) ?? []
  if (client !== undefined && host !== undefined && lanes.includes(host)) {
    const ends = [
      [x(client), y(at)],
      [x(host), y(at)],
    ] as const
    const [from, to] = way === '→' ? ends : [ends[1], ends[0]]
    return [drawArrow({ from, to, kind: 'client', text: what ?? '', isLabelled: true })]
  }
  const time = `<text class="time" x="8" y="${y(at) + 3}">${at.toFixed(0)} ms</text>`
  if (text.startsWith('VIOLATION')) return [time, drawNote('violation', text, y(at), width)]
  if (/^(fault|everything|enlarge|crash|start|serving) /.test(text))
    return [time, drawNote('fault', text, y(at), width)]
  return []
}

function drawNote(kind: string, text: string, y: number, width: number): string {
  return `<g class="${kind}"><title>${escaped(text)}</title><line class="note" x1="${LANE.first - 50}" y1="${y}" x2="${width}" y2="${y}"/><text x="${LANE.first - 50}" y="${y - 3}">${escaped(text.slice(0, Math.floor(width / 6)))}</text></g>`
}

/** Shaded at the end where it is sent: nothing leaves from here to there. */
function drawCut({ way, from, to }: Cut, x: (lane: string) => number, y: (at: number) => number): string {
  const [sender = '', receiver = ''] = way.split('>')
  const side = x(receiver) > x(sender) ? 0 : -1
  const band = 26
  return `<rect class="cut" x="${x(sender) + side * band}" y="${y(from)}" width="${band}" height="${Math.max(2, y(to) - y(from))}"><title>${escaped(way)} cut</title></rect>`
}

function cutsOf(events: readonly HistoryEvent[], end: number): Cut[] {
  const cuts: Cut[] = []
  for (const { at, text } of events) {
    const [, what, way] = /^net (cut|heal) (\S+)/.exec(text) ?? []
    if (way === undefined) continue
    if (what === 'cut') cuts.push({ way, from: at, to: end })
    else for (const cut of cuts) if (cut.way === way && cut.to === end) cut.to = at
  }
  return cuts
}

function arrowHead(kind: string, colour: string): string {
  return `<marker id="${kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="${colour}"/></marker>`
}

function shortened(text: string): string {
  return text.length > LABEL_LENGTH ? `${text.slice(0, LABEL_LENGTH - 1)}…` : text
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
}

const STYLE = `
body { font: 14px system-ui, sans-serif; margin: 24px; color: #222; background: #fff }
h1 { font-size: 18px } h2 { font-size: 15px } pre { font-size: 12px; line-height: 1.4 }
svg { font: 10px system-ui, sans-serif; overflow: visible }
.lane { stroke: #bbb; stroke-width: 2 } .name { font-size: 13px; font-weight: 600; text-anchor: middle }
.label { text-anchor: middle; fill: #444; paint-order: stroke; stroke: #fff; stroke-width: 3px; stroke-linejoin: round }
.time { fill: #888 } g:hover line { stroke-width: 3 } g:hover text { font-weight: 600 }
.fault .note { stroke: #c62828; stroke-dasharray: 4 4; opacity: 0.5 } .fault text { fill: #c62828 }
.violation .note { stroke: #c62828; stroke-width: 2 } g.violation text { fill: #fff; paint-order: stroke; stroke: #c62828; stroke-width: 6px; stroke-linejoin: round; font-weight: 700 }
rect.cut { fill: #c62828; opacity: 0.13 } span.cut { color: #eab4b4 } span.violation { color: #c62828 }
${Object.entries(COLOURS)
  .map(([kind, colour]) => `.${kind} line { stroke: ${colour} } .label.${kind} { fill: ${colour} }`)
  .join('\n')}
`
