// The largest values that may be configured travel like any other: written, read, compared, as siblings.

import { describe, expect, test } from 'vitest'
import { frameBounds } from '../../../src/link/settings.ts'
import { MIB, Story } from './story.ts'

describe('large values', () => {
  // Found by an audit: a value that fits in no frame stayed on one home, and stopped every comparison with it.
  test('siblings of the greatest size reach a home that missed both, in one piece', async () => {
    const healing = { readRepair: false, handoff: false, readAllRate: 0 }
    const story = await Story.begin({ healing, limits: { siblingBytesMax: 32 * MIB } })
    const { r0, r1, r2 } = story
    await story.cutOff(r2)
    await story.write(r0, 'a'.repeat(16 * MIB), { sloppy: false })
    await story.write(r1, 'b'.repeat(16 * MIB), { sloppy: false })
    await story.reunite()
    await story.until(() => (r2.node?.rooms?.storage.memtable.totalBytes ?? 0) > 32 * MIB)
    const shown = await story.shows(r2, { r: 3 })
    expect(shown?.map((text) => `${text[0]}${text.length}`)).toEqual([`a${16 * MIB}`, `b${16 * MIB}`])
  })

  test('frames hold what five homes may hold of a key', () => {
    expect(frameBounds(4 * MIB).frameBytesMax).toBe(24 * MIB)
    expect(frameBounds(1).frameBytesMax).toBe(24 * MIB)
    expect(frameBounds(32 * MIB).frameBytesMax).toBeGreaterThan(5 * 32 * MIB)
    expect(frameBounds(32 * MIB).pendingBytesMax).toBeGreaterThan(frameBounds(32 * MIB).frameBytesMax)
  })
})
