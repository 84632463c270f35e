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

  // Found by a review: a record that had outgrown every frame kept its partition from ever being filled again.
  test('hints that would make a record too large for a frame wait, until its siblings are resolved', async () => {
    const siblingBytesMax = 40_000
    const story = await Story.begin({ limits: { siblingBytesMax } })
    const { r0, f, last } = story
    const bytes = (): number => r0.node?.rooms?.storage.memtable.totalBytes ?? 0
    const acknowledged: string[] = []
    for (let round = 0; round < 7; round++) {
      await story.cutOff(f, last)
      for (let i = 0; i < 4; i++) {
        const value = `${round}${i}${'x'.repeat(9990)}`
        if ((await story.put(f, value)).type === 'stored') acknowledged.push(value)
      }
      await story.reunite()
      await story.cluster.time.runFor(3000)
      expect(bytes()).toBeLessThan(5 * siblingBytesMax)
    }
    const atHome = (await story.shows(r0, { r: 3, sloppy: false })) ?? []
    const waiting = acknowledged.filter((value) => !atHome.includes(value))
    expect(waiting.length).toBeGreaterThan(0)
    const found = await story.get(r0, { r: 3, sloppy: false })
    await story.write(r0, 'resolved', { context: found.type === 'found' ? found.context : 'latest' })
    await story.untilNoHints()
    expect(await story.shows(r0, { r: 3 })).toEqual([...waiting, 'resolved'])
  })

  test('frames hold what three homes may hold of a key', () => {
    expect(frameBounds(1).frameBytesMax).toBe(24 * MIB)
    expect(frameBounds(4 * MIB).frameBytesMax).toBe((12 * 4 + 4) * MIB)
    expect(frameBounds(32 * MIB).pendingBytesMax).toBeGreaterThan(frameBounds(32 * MIB).frameBytesMax)
  })
})
