// The picture of a history: what the wiretap hears is what was said, and the file needs no other and cannot be broken by what is in it.
import { expect, it } from 'vitest'
import { drawPicture, type HistoryEvent } from '../../src/simulator/picture.ts'
import { runSeed } from '../../src/simulator/run.ts'
import { planOf } from '../../src/simulator/seed-plan.ts'
import { Wiretap } from '../../src/simulator/wiretap.ts'

it('shows who said what to whom, and when', async () => {
  // Without large values, which travel in parts.
  const seed = Array.from({ length: 50 }, (_, at) => at + 1).find((at) => planOf(at).valueBytesMax < 1000) ?? 0
  const plan = planOf(seed)
  const wiretap = new Wiretap()
  const events: HistoryEvent[] = []
  await runSeed(seed, {
    activeUntilMs: 2500,
    onEvent: (at, text) => events.push({ at, text }),
    onWorld: ({ cluster }) => (cluster.network.onDelivered = (delivery) => wiretap.hear(delivery)),
  })
  const nodes = Array.from({ length: plan.nodes }, (_, number) => `node-${number}`)
  const { messages } = wiretap
  expect(
    messages.every(({ from, to, sentAt, cameAt }) => nodes.includes(from) && nodes.includes(to) && sentAt <= cameAt),
  ).toBe(true)
  expect(messages.filter(({ text }) => text === 'not a frame')).toEqual([])
  // Every write that was acknowledged by another node was heard on its way.
  const acknowledged = events.flatMap(
    ({ text }) => /^c\d+ ← \S+ put \S+ (c\d+-\d+): (?:created|replaced) .*strict, 2 of 3/.exec(text)?.[1] ?? [],
  )
  expect(acknowledged.length).toBeGreaterThan(3)
  for (const write of acknowledged)
    expect(messages.some(({ kind, text }) => kind === 'write' && text.includes(` ${write} (`))).toBe(true)
  const html = drawPicture({ title: 'a seed', summary: ['a < b'], nodes, events: events.slice(0, 2000), messages })
  expect(html).toContain('a &lt; b')
  expect(html.match(/<svg/g)).toHaveLength(1)
  expect(html).not.toMatch(/NaN|undefined|<script|https?:/)
  for (const node of nodes) expect(html).toContain(`>${node}</text>`)
})

it('shades what is cut off until it is healed, and escapes what it shows', () => {
  const events: HistoryEvent[] = [
    { at: 10, text: 'net cut node-0>node-1' },
    { at: 20, text: 'c1 → node-0 put b/<script> c1-1' },
    { at: 30, text: 'c1 ← node-0 put b/<script> c1-1: created' },
    { at: 40, text: 'net heal node-0>node-1' },
    { at: 50, text: 'VIOLATION G1 "lost" & gone' },
  ]
  const html = drawPicture({ title: '<t>', summary: [], nodes: ['node-0', 'node-1'], events, messages: [] })
  expect(html).not.toContain('<script')
  expect(html).toContain('VIOLATION G1 &quot;lost&quot; &amp; gone')
  const places = [...html.matchAll(/<rect class="cut" x="([\d.]+)" y="([\d.]+)" width="26" height="([\d.]+)"/g)]
  expect(places).toHaveLength(1)
  const [, x, y, height] = (places[0] ?? []).map(Number)
  const laneOf = (name: string): number => Number(new RegExp(`x="([\\d.]+)" y="[\\d.]+">${name}<`).exec(html)?.[1])
  expect(x).toBe(laneOf('node-0'))
  const violationAt = Number(/<g class="violation">.*?y1="([\d.]+)"/.exec(html)?.[1])
  expect(Number(y) + Number(height)).toBeLessThan(violationAt)
})
