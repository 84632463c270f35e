// What a peer may send within one frame: a view of thousands of lives, siblings, and dead tags whose lives are none of these. Times are of
// this thread alone, the least of several.

import { expect, it } from 'vitest'
import { ByteWriter } from '../../../src/core/bytes.ts'
import { liveOf } from '../../../src/core/causality/attempts.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import type { Version } from '../../../src/core/causality/version.ts'
import { decodeView, mergeViews, type View } from '../../../src/core/causality/view.ts'

const LIVES = 6000
const TAGS = 4000
const SIBLINGS = 10_000

it('is read in time that grows with its size', () => {
  const writer = new ByteWriter()
  writer.varint(LIVES)
  for (let i = 1; i <= LIVES; i++) {
    writer.hex(i.toString(16).padStart(16, '0'), 8)
    for (const number of [1, 0, 0]) writer.varint(number)
  }
  writer.varint(TAGS)
  for (let i = 0; i < TAGS; i++) {
    writer.hex(i.toString(16).padStart(16, '0'), 8)
    writer.hex('aaaaaaaa', 4)
    writer.varint(0)
    writer.hex('7777777777777777', 8)
    for (const number of [1, 0]) writer.varint(number)
  }
  writer.varint(0)
  const bytes = writer.finish()
  const ms = leastCpuMs(() => expect(decodeView(bytes).deadTags.length).toBe(TAGS))
  // As it is now: 3 ms.
  expect(ms).toBeLessThan(20)
})

it('is merged and shown in time that grows with its size', () => {
  const [odd, even] = [1, 0].map((rest) => viewOf(siblings().filter((_, i) => i % 2 === rest))) as [View, View]
  const ms = leastCpuMs(() => {
    const { versions } = mergeViews(odd, even, 'siblings')
    expect(versions.length).toBe(SIBLINGS)
    expect(mergeViews(odd, viewOf(versions), 'siblings').versions.length).toBe(SIBLINGS)
    expect(liveOf(versions, 0).length).toBe(SIBLINGS)
  })
  // As it is now: 9 ms; some 1000 where each is sought along the others.
  expect(ms).toBeLessThan(100)
})

function siblings(): Version[] {
  const content = { contentType: 'text/plain', meta: [], bytes: Buffer.of(1) }
  return Array.from({ length: SIBLINGS }, (_, i) => ({
    dot: { life: 'aaaaaaaaaaaaaaaa', counter: i + 1 },
    stamp: i,
    deadlineMs: null,
    tag: { id: i.toString(16).padStart(16, '0'), fingerprint: 'ffffffff', basis: 0, replaces: false },
    content,
  }))
}

function viewOf(versions: readonly Version[]): View {
  return { versions, seen: DotSet.of(...versions.map(({ dot }) => dot)), deadTags: [] }
}

function leastCpuMs(run: () => void): number {
  let leastMs = Infinity
  for (let again = 0; again < 5; again++) {
    const before = process.threadCpuUsage()
    run()
    const { user, system } = process.threadCpuUsage(before)
    leastMs = Math.min(leastMs, (user + system) / 1000)
  }
  return leastMs
}
