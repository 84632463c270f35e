// Dots of writes that nobody took leave no lasting mark on the keys beside them.

import { describe, expect, test } from 'vitest'
import { Story } from './story.ts'

describe('gaps', () => {
  // Found by a review: each refused write between two that were taken was a gap in the context of every key of its partition, for good.
  test.each(['a home', 'another node'])(
    'refused writes through %s do not fill the contexts of other keys',
    async (who) => {
      const story = await Story.begin({ partitions: 1, limits: { siblingsMax: 1 } })
      const { r0, r1, f, cluster } = story
      const through = who === 'a home' ? r0 : f
      await story.write(r0, 'taken')
      for (let i = 0; i < 400; i++) {
        expect((await story.put(through, 'blind')).type).toBe('too-many-siblings')
        await story.write(through, `${i}`, { context: 'latest' }, 'beside')
      }
      // Until what was superseded is known to all, and forgotten.
      await cluster.time.runFor(20_000)
      await story.write(through, 'last', { context: 'latest' }, 'beside')
      const found = await story.get(r1, {}, 'beside')
      expect(found.type === 'found' && found.context.seen.intervalCount).toBeLessThan(50)
    },
  )
})
