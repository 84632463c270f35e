// A view of thousands of lives and of dead tags whose lives are none of these: what a peer may send within one frame.

import { expect, it } from 'vitest'
import { ByteWriter } from '../../../src/core/bytes.ts'
import { decodeView } from '../../../src/core/causality/view.ts'

const LIVES = 6000
const TAGS = 4000

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
  let leastMs = Infinity
  for (let again = 0; again < 5; again++) {
    const before = process.threadCpuUsage()
    expect(decodeView(bytes).deadTags.length).toBe(TAGS)
    const { user, system } = process.threadCpuUsage(before)
    leastMs = Math.min(leastMs, (user + system) / 1000)
  }
  // As it is now: 3 ms.
  expect(leastMs).toBeLessThan(20)
})
